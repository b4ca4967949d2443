// gelu_tanh(W_gate x) * (W_up x) of many rows of x at once, the first half of an MLP, straight to
// the packed rows that a product with W_down reads: what an instruction set offers that can do more
// than multiply, then round. No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace gemma3n {

// The rows of one call, at most ManyRowsKernels::most_rows, F columns wide.
struct GatedRows {
  const Matrix *gate = nullptr, *up = nullptr;  // [F, cols]
  const std::byte* x = nullptr;                 // as ManyRowsKernels::pack has it
  int64_t count = 0;                            // rows of x
  std::byte* out = nullptr;                     // as ManyRowsKernels::pack would have it
  // Where the gate's smallest values are cut off:
  std::byte* sums = nullptr;       // the gate's, a group of its rows after the other
  float* moments = nullptr;        // of each group: the mean and the sum of squared distances from
                                   // it, for each row of x (rounded up to unit_rows)
  const float* cutoffs = nullptr;  // of each row of x, rounded up likewise
};

struct GatedKernels {
  int64_t (*group_bytes)(int64_t rows);    // of a group's sums
  int64_t (*scratch_bytes)(int64_t rows);  // of a thread
  int64_t unit_columns;                    // F must be a multiple of it
  int64_t least_rows[kDTypeCount];         // of x; fewer are quicker product by product

  // For the rows of W [begin, end), begin a multiple of ManyRowsKernels::group_rows. Null where
  // the type is not offered. A result has the same bits whatever the range and the other rows of
  // x.   Indexed by DType.
  using Fn = void (*)(const GatedRows& rows, int64_t begin, int64_t end, std::byte* scratch);
  Fn gate[kDTypeCount];  // sums and moments of the gate
  Fn up[kDTypeCount];    // out = gelu(max(gate - cutoff, 0)) * up, by those sums
  Fn both[kDTypeCount];  // out = gelu(gate) * up; gate and up are of one type
};

}  // namespace gemma3n
