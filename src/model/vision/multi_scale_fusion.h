// Multi-scale fusion adapter: the tower's last two maps to one grid of soft tokens.
//                                                                   timm
//                                                                   MobileNetV5MultiScaleFusionAdapter
//   e = gelu( rms( E [fine; doubled coarse] ) )      E: [M, C fine + C coarse]
//   t = rms( average pool( rms( P e ) ) )            P: [O, M]; 16 x 16 tokens
#pragma once

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

inline constexpr int64_t kTokenGrid = 16;  // tokens a side

// tokens: [16 16, O], row after row. The fine map's side is a multiple of 16 and of the coarse
// map's.
Status FusionForward(const FusionWeights& w, const FeatureMap& fine, const FeatureMap& coarse,
                     const View& tokens, const TowerContext& ctx);

}  // namespace gemma3n::vision
