// Universal inverted residual block (MobileNetV4, arXiv:2404.10518).    timm
// UniversalInvertedResidual
//   s = rms( depthwise(x) )                  where the block has a starting depthwise convolution,
//   else x m = gelu( rms( E s ; expand_norm ) ) E: [M, C] m = gelu( rms( depthwise(m) ) ) where it
//   has a middle one; the stride sits there y = rms( P m ; norm ) * layer_scale  (+ x) P: [O, M]
#pragma once

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// out: a map of its own, or x itself where the block adds its input and has no middle convolution.
Status InvertedResidualForward(const InvertedResidualWeights& w, const FeatureMap& x,
                               const FeatureMap& out, const TowerContext& ctx);

}  // namespace gemma3n::vision
