// Light convolution of a conformer block.                               HF
// Gemma3nAudioConformerLightConv1d
//   (g, h) = W_start rms(x; pre)           y = g * sigmoid(h)
//   z_t = sum_j w_j * y_{t-K+1+j}          causal and per channel, zeros before the clip
//   x <- x + W_end silu( rms(z; conv) )
#pragma once

#include <span>

#include "model/audio/context.h"
#include "model/audio/weights.h"

namespace gemma3n {

// x: [T, D], in place. kept: rows that anything later reads, ascending. They become the first rows
// of x, and those rows are returned.
Result<View> LightConv(const LightConvWeights& w, const View& x, std::span<const int64_t> kept,
                       const AudioContext& ctx);

}  // namespace gemma3n
