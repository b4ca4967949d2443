// Products with rows of [T, cols] that are mostly zeros, where it is known what is not. The places
// are cut into blocks of columns, so that what W has for a block stays in the caches for all rows.
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace gemma3n {

inline constexpr int64_t kSparseColumns = 256;  // of a block
inline constexpr int64_t kSparseOutputs = 64;   // rows of W that meet a block at a time
inline constexpr int64_t kSparseStride =
    kSparseColumns + 16;  // from one to the next: no power of two

// The places of one block of columns, row after row, ascending within a row. Places count through
// all blocks: values and results lie at their numbers.
struct SparseBlock {
  int64_t rows = 0;
  const int32_t* starts = nullptr;   // [rows + 1], row t has the places starts[t] .. starts[t + 1]
  const uint8_t* columns = nullptr;  // of a place, from the block's first column on
};

// y = W x^T where it is wanted: a column of the places is a row of W.
struct SampledKernels {
  // Bytes that `rows` rows of x take once packed, and of a thread's scratch memory; both begin at a
  // multiple of 64.
  int64_t (*packed_bytes)(int64_t rows, int64_t cols);
  int64_t scratch_bytes;

  // Rounds one row of x to its place in `packed`, as many_rows.h's int8 kernels do.
  void (*pack)(const ConstView& x, int64_t row, std::byte* packed);

  // out[i] = W[row + columns[i]] . x[t] for the places i of each row t; null where the type is not
  // offered. A result has the same bits whatever the other places.   Indexed by DType.
  using MultiplyFn = void (*)(const Matrix& w, int64_t row, const SparseBlock& at,
                              const std::byte* packed, float* out, std::byte* scratch);
  MultiplyFn multiply[kDTypeCount];
};

}  // namespace gemma3n
