// Matrix products by dot-product instructions: what each instruction set offers, and the layout
// that all share.
//
// Both factors are cut into tiles of 16 rows x 64 bytes, a step: 32 bfloat16 or 64 int8 of each
// row. The tiles of 16 rows follow each other along the columns, then come the next 16 rows; what
// is missing reads as zero. A tile of activations holds row after row. A tile of weights is the
// transpose in groups of 4 bytes: group after group, the 16 rows' 4 bytes each, so that one vector
// meets one group of an activation row in 16 rows of W. Where a value is a sum of parts, a step has
// a tile of each, the largest part first.
//
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace gemma3n {

inline constexpr int64_t kStripRows = 16, kStepBytes = 64, kTileBytes = kStripRows * kStepBytes;
inline constexpr int64_t kPanelRows =
    32;  // rows of W that are multiplied together; W is padded to whole panels

// A row is tame when it is zero, or its largest magnitude is in this range: its values and their
// products are then sums of parts without overflow, and what the parts lose below 2^-126 is small.
// Bits of float32: 2^-64, 2^52.
inline constexpr uint32_t kTameLeast = 0x1f800000, kTameMost = 0x59800000;

// Activations [rows, cols] in bfloat16, rows `stride` values apart.
struct BFloat16View {
  uint16_t* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;

  uint16_t* row(int64_t r) const { return data + r * stride; }
  BFloat16View Rows(int64_t begin, int64_t count) const {
    return {row(begin), count, cols, stride};
  }
};

// Activations to write, in either type.
struct OutputView {
  View f32;  // empty when bf16 is meant
  BFloat16View bf16;

  OutputView(const View& v) : f32(v) {}           // NOLINT: a call names a plain view
  OutputView(const BFloat16View& v) : bf16(v) {}  // NOLINT
  OutputView Rows(int64_t begin, int64_t count) const {
    return f32.data != nullptr ? OutputView(f32.Rows(begin, count))
                               : OutputView(bf16.Rows(begin, count));
  }
};

// Activations to read, in either type.
struct InputView {
  ConstView f32;  // empty when bf16 is meant
  BFloat16View bf16;

  InputView(const ConstView& v) : f32(v) {}      // NOLINT
  InputView(const View& v) : f32(v) {}           // NOLINT
  InputView(const BFloat16View& v) : bf16(v) {}  // NOLINT
  int64_t rows() const { return f32.data != nullptr ? f32.rows : bf16.rows; }
  InputView Columns(int64_t begin, int64_t count) const {
    if (f32.data != nullptr) return ConstView(f32.data + begin, f32.rows, count, f32.stride);
    return BFloat16View{bf16.data + begin, bf16.rows, count, bf16.stride};
  }
  InputView Rows(int64_t begin, int64_t count) const {
    return f32.data != nullptr ? InputView(f32.Rows(begin, count))
                               : InputView(bf16.Rows(begin, count));
  }
};

// W for one arithmetic. scales and starts are used by int8 only, one per row.
struct PackedMatrix {
  int64_t rows = 0, steps = 0;
  const std::byte* tiles = nullptr;
  bool halved = false;  // float32 tiles whose values are bfloat16: 2 bytes each, in the same order
  int64_t parts = 1;    // tiles of a step
  // Steps of this pass (PackedKernels::pass_steps): x has these alone, and the products of a pass
  // that is not the first are added to y.
  int64_t first = 0, count = 0;
  const float* scales = nullptr;    // w[r, c] = scales[r] * q[r, c]
  const int32_t* starts = nullptr;  // -128 sum_c q[r, c]: takes back what `flip` adds
};

struct PackedRows {
  int64_t rows = 0;
  const std::byte* tiles = nullptr;
  const float* scales = nullptr;
};

// One arithmetic of one instruction set.
struct PackedKernels {
  int64_t step;  // columns of a step

  // What the bits of each activation byte are exchanged with: 128 where the instruction wants one
  // factor unsigned.
  uint8_t flip;

  // Rounds x to tiles of activations. x: [rows, cols] -> tiles: [ceil(rows / 16), ceil(cols /
  // step)], scales: [rows]. int8: scales[t] = max |x[t]| / 127, values rounded to nearest even; a
  // row with a NaN or an infinity gets the scale NaN, and a row below 2^-100 counts as zero.
  // bfloat16: to nearest even, scales is not used.
  void (*pack)(const InputView& x, int64_t cols, uint8_t flip, std::byte* tiles, float* scales);

  // y[t, r] = W x[t] for r in [begin, end); begin is a multiple of kPanelRows. x has at most
  // kBlockRows rows.
  void (*multiply)(const PackedMatrix& w, int64_t begin, int64_t end, const PackedRows& x,
                   const OutputView& y);

  int64_t parts = 1;  // tiles of a step of x, and of W unless one is enough

  // Columns are multiplied this many steps at a time, so that x need be packed for no more; y is
  // float32 then. 0: all at once.
  int64_t pass_steps = 0;
  int64_t range_rows = kPanelRows;  // rows of W that are best multiplied together

  int64_t Passes(int64_t steps) const {
    return pass_steps == 0 ? 1 : (steps + pass_steps - 1) / pass_steps;
  }
};

inline constexpr int64_t kBlockRows =
    256;  // activation rows of a call of multiply: their sums are 32 KB of stack

}  // namespace gemma3n
