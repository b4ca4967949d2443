// Products with rows that are mostly zeros, cut for the threads. See sparse.h.
#pragma once

#include "base/arena.h"
#include "kernels/ops.h"
#include "kernels/sparse.h"

namespace gemma3n {

// What is not zero of rows [T, cols], by blocks of columns.
struct SparseRows {
  int64_t rows = 0, cols = 0;
  int32_t* starts = nullptr;   // [blocks][rows], and the count of all places
  uint8_t* columns = nullptr;  // of each place, within its block
  float* values = nullptr;

  int64_t blocks() const { return (cols + kSparseColumns - 1) / kSparseColumns; }
  int64_t count() const { return starts[blocks() * rows]; }
  SparseBlock Block(int64_t b) const { return {rows, starts + b * rows, columns}; }
};

// Whether leaving out the zeros of so many rows is quicker than multiplying by them.
bool SparsePays(const Ops& ops, int64_t rows);

// The places of x that are not zero; NaN is none. The memory is the arena's.
//   what x holds afterwards is unspecified
SparseRows FindNonZero(const View& x, Arena& arena, const Ops& ops);

// out[i] = W[c] . x[t] for each place i of `at`, in row t and column c.   W: [>= at.cols, x.cols]
// False, and nothing is done, where the table has no kernel for W's type.
bool SampledLinear(const Matrix& w, const ConstView& x, const SparseRows& at, float* out,
                   const Ops& ops);

// y = W x, the sums in float32, whatever W's type.   W: [y.cols, x.cols]
void SparseLinear(const Matrix& w, const SparseRows& x, const View& y, const Ops& ops);

}  // namespace gemma3n
