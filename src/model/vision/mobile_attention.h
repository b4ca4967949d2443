// Mobile multi-query attention block (MobileNetV4, arXiv:2404.10518).  timm MobileAttention,
// MultiQueryAttention2d
//   n = rms(x; norm)      q = Q n, heads of d      k = K down(n)      v = V down(n), one head for
//   all queries y = x + layer_scale * O concat_h( softmax( q_h k^T / sqrt(d) ) v )
// down is rms(depthwise 3x3/2) where the block has it, else nothing. No positions, no mask.
#pragma once

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// In place.
Status MobileAttentionForward(const MobileAttentionWeights& w, const FeatureMap& x,
                              const TowerContext& ctx);

}  // namespace gemma3n::vision
