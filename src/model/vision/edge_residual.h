// Edge residual block: the first stage's.                                               timm
// EdgeResidual
//   y = rms( P gelu( rms( conv3x3(x) ; expand_norm ) ) ; norm )  (+ x)      P: [O, M]
#pragma once

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// out: a map of its own, of x's size over the block's stride
Status EdgeResidualForward(const EdgeResidualWeights& w, const FeatureMap& x, const FeatureMap& out,
                           const TowerContext& ctx);

}  // namespace gemma3n::vision
