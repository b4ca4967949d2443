#include "model/audio/conformer.h"

#include "model/audio/conformer_attention.h"
#include "model/audio/conformer_feed_forward.h"
#include "model/audio/light_conv.h"

namespace gemma3n {

Result<View> ConformerBlock(const ConformerWeights& w, const View& x, std::span<const int64_t> kept,
                            const AudioContext& ctx) {
  G3N_RETURN_IF_ERROR(ConformerFeedForward(w.feed_forward_start, x, ctx));
  ctx.Tap("feed_forward_start", x);
  G3N_RETURN_IF_ERROR(ConformerAttention(w.attention, x, ctx));
  ctx.Tap("attention", x);
  G3N_ASSIGN_OR_RETURN(const View y, LightConv(w.light_conv, x, kept, ctx));
  ctx.Tap("light_conv", y);
  G3N_RETURN_IF_ERROR(ConformerFeedForward(w.feed_forward_end, y, ctx));
  ctx.Tap("feed_forward_end", y);
  ctx.ops.RmsNorm(w.norm.data(), kConformerNormEps, y, y);
  ctx.Tap("block_out", y);
  return y;
}

}  // namespace gemma3n
