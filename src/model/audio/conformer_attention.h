// Local attention of a conformer block, with relative positions.
// HF Gemma3nAudioConformerAttention, whose blocks of 12 queries by 24 keys and whose shift come to
// this:
//   a = rms(x; pre)        q = (W_q a) * query_scale     k = W_k a     v = W_v a        per head
//   l(t, s) = softcap( q_t . (k_s + R[t - s]) )          keys s in [t - context_left + 1, t], of
//   the same clip x <- x + rms( W_post sum_s softmax(l)(t, s) v_s; post )
#pragma once

#include "model/audio/context.h"
#include "model/audio/weights.h"

namespace gemma3n {

// x: [T, D], in place.
Status ConformerAttention(const ConformerAttentionWeights& w, const View& x,
                          const AudioContext& ctx);

}  // namespace gemma3n
