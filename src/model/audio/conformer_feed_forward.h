// Half-step feed-forward of a conformer block.        HF Gemma3nAudioConformerFeedForward;
// arXiv:2005.08100
//   x <- x + 0.5 rms( L2 silu( L1 rms(x; pre) ); post )        L1: [4 D, D]   L2: [D, 4 D]
#pragma once

#include "model/audio/context.h"
#include "model/audio/weights.h"

namespace gemma3n {

// x: [T, D], in place.
Status ConformerFeedForward(const ConformerFeedForwardWeights& w, const View& x,
                            const AudioContext& ctx);

}  // namespace gemma3n
