// y = W x for many rows of x at once (a prompt): what an instruction set offers, and how a call is
// cut. W stays as it is stored; a slab of its columns is expanded into the second-level cache, for
// all rows of x at once. No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gated.h"
#include "tensor/matrix.h"

namespace gemma3n {

struct ManyRowsKernels {
  int64_t most_rows;  // of x in one call of multiply
  int64_t unit_rows;  // of x that are packed together

  // Bytes that `rows` rows of x take once packed, and of a thread's scratch memory for them; both
  // begin at a multiple of 64.
  int64_t (*packed_bytes)(int64_t rows, int64_t cols);
  int64_t (*scratch_bytes)(int64_t rows);

  // Rounds the columns [slab * kManyRowsSlab, ...) of the rows [row, row + unit_rows) of x, as far
  // as x has them, to their place in `packed`.   x: [rows, cols], row a multiple of unit_rows
  void (*pack)(const ConstView& x, int64_t row, int64_t slab, std::byte* packed);
  // The same of gelu_tanh(gate) * up, as the table's gelu_mul has it, instead of x; may be null.
  void (*pack_gated)(const ConstView& gate, const ConstView& up, int64_t row, int64_t slab,
                     std::byte* packed);

  // y[t, r] = W x[t] for r in [begin, end), any range; null where the type is not offered. A
  // result has the same bits whatever the range and the other rows of x.   Indexed by DType.
  using MultiplyFn = void (*)(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed,
                              const View& y, std::byte* scratch);
  MultiplyFn multiply[kDTypeCount];
  int64_t group_rows;  // rows of W that are expanded together: ranges are best multiples of it
  const GatedKernels* gated;  // of the same packed rows; may be null
  // The same results for some of the types, sooner, from rows packed in another way; may be null.
  const ManyRowsKernels* sooner = nullptr;
  int64_t least_rows = 0;  // of x, from which on they pay
};

// Rows of x that are still few enough to go another way than a prompt, where a table has one.
inline constexpr int64_t kSeveralRows = 16;
inline constexpr int64_t kManyRowsSlab = 512;  // columns; a multiple of every type's block

}  // namespace gemma3n
