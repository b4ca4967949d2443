// An MLP of many rows of x by the table's gated kernels, cut for the threads.
#pragma once

#include "kernels/ops.h"

namespace gemma3n {

struct GatedMlp {
  const Matrix &gate, &up, &down;  // [F, D], [F, D], [D, F]
  float sparsity_z = 0;  // not 0: gaussian top-k of the gate, as KernelTable::gaussian_topk
};

// y = W_down (gelu_tanh(W_gate x) * (W_up x)), in ops.Scratch: what lies between the products is
// never written as float32 rows. False, and nothing is done, where the table has no such kernels
// for these types and widths, or x has only a few rows.
bool GatedLinear(const GatedMlp& mlp, const ConstView& x, const View& y, const Ops& ops);

}  // namespace gemma3n
