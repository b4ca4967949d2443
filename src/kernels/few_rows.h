// Products with a few rows of x (decoding, and checking what was guessed ahead), straight from the
// stored rows of W. Reading W is what they cost, so x may be nearly exact for nothing: each block
// of 32 values shares a scale, max |x| / 16256, and a value is 128 hi + lo of two signed bytes,
// about 15 bits. Blocks of W meet both bytes in integer dot products; y sums blocks in float32.
//
// A row of y has the same bits alone and among others, whichever range of rows of W it was computed
// with. A block of x with a NaN or an infinity gives NaN; a block below 2^-100 counts as zero.
//
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/coarse.h"
#include "tensor/matrix.h"

namespace gemma3n {

inline constexpr int64_t kFewRows = 8;                  // rows of x of one call at most
inline constexpr int64_t kPlaneBlock = 32;              // values of x that share a scale
inline constexpr float kPlaneMaximum = 16256;           // 128 * 127: hi and lo fit a signed byte
inline constexpr uint32_t kPlaneSmallest = 0x0d800000;  // bits of 2^-100

// Packed rows of x, `stride` bytes apart.
struct PlaneRows {
  const std::byte* data = nullptr;
  int64_t count = 0, stride = 0;
};

// Rows of W to multiply: [begin, end), or of those only the ones that a list names.
struct RowRange {
  int64_t begin = 0, end = 0;
  const int32_t* list = nullptr;  // row i is list[i]; null: row i is i
  int64_t operator[](int64_t i) const { return list == nullptr ? i : list[i]; }
};

// What an instruction set has for one stored dtype.
struct FewRowsKernel {
  int64_t group_columns = 0, group_bytes = 0;  // how x is packed

  // One row of x. packed: PackedBytes(cols), aligned to 64.
  void (*pack)(const float* x, int64_t cols, std::byte* packed) = nullptr;
  // y[t, r] = W[r] . x[t] for the rows r of the range; null where `linear` is as good.
  void (*multiply)(const Matrix& w, const RowRange& rows, const PlaneRows& x,
                   const View& y) = nullptr;

  int64_t PackedBytes(int64_t cols) const {
    return (cols + group_columns - 1) / group_columns * group_bytes;
  }
};

struct FewRowsKernels {
  FewRowsKernel of[kDTypeCount];
  CoarseKernels coarse;
};

}  // namespace gemma3n
