// Gated MLP with gaussian top-k activation sparsity in the first layers; MatFormer: a narrower
// model is a prefix.
//   g = gate x;  sparse layers: g = max(g - (mean(g) + z std(g)), 0)        y = down( gelu(g) * (up
//   x) )
// docs/MODEL.md 6 - HF Gemma3nTextMLP; arXiv:2310.07707 (MatFormer)
#pragma once

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

// x, y: [T, D]. width: MLP width in use, a prefix of the stored one. sparsity_z: multiplier of the
// standard deviation, 0 for dense layers.
Status MlpForward(const MlpWeights& w, int64_t width, float sparsity_z, const ConstView& x,
                  const View& y, const StageContext& ctx);

}  // namespace gemma3n
