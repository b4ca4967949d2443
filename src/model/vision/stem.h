// Stem of the picture tower.                                          timm
// MobileNetV5Encoder.conv_stem
//   y = gelu( rms( conv3x3/2 (pixels / 255) + bias ) )
#pragma once

#include <span>

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// rgb: [S, S, 3], out: a map of S/2 x S/2 and the stem's channels
Status StemForward(const StemWeights& w, std::span<const uint8_t> rgb, int64_t size,
                   const FeatureMap& out, const TowerContext& ctx);

}  // namespace gemma3n::vision
