// One conformer block: two half-step feed-forwards around attention and a light convolution.
// HF Gemma3nAudioConformerBlock; arXiv:2005.08100
#pragma once

#include <span>

#include "model/audio/context.h"
#include "model/audio/weights.h"

namespace gemma3n {

// x: [T, D], in place. kept: rows whose output is wanted, ascending; they become the first rows of
// x, and those rows are returned. What is computed for a row alone is computed for kept rows only.
Result<View> ConformerBlock(const ConformerWeights& w, const View& x, std::span<const int64_t> kept,
                            const AudioContext& ctx);

}  // namespace gemma3n
