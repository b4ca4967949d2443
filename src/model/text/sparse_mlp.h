// The MLP's second half where the gaussian top-k cut most of the gate to exactly zero: its row of
// up and its column of down contribute nothing, so they are left out.
#pragma once

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

// y = down(gelu(gate) * (up x)). Some rows of x read only what they need of the weights, many
// multiply only what they need of it.
//   gate: [T, width] after the cut, unspecified afterwards; x, y: [T, D]
void SparseMlp(const MlpWeights& w, const ConstView& x, const View& gate, const View& y,
               const StageContext& ctx);

// Whether that is quicker than multiplying by all.
bool SparseMlpPays(const MlpWeights& w, float sparsity_z, int64_t rows, const Ops& ops);

}  // namespace gemma3n
