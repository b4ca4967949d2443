#include "model/audio/conformer_feed_forward.h"

namespace gemma3n {

Status ConformerFeedForward(const ConformerFeedForwardWeights& w, const View& x,
                            const AudioContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, x.rows, w.expand.cols(), "conformer feed-forward"));
  const KernelTable& k = ctx.ops.kernels();
  Arena::Scope scope(ctx.arena);
  const View y = ctx.Tensor(x.rows, x.cols);
  const View hidden = ctx.Tensor(x.rows, w.expand.rows());
  ctx.ops.RmsNorm(w.pre_norm.data(), kConformerNormEps, x, y);
  w.expand.Apply(y, hidden, ctx.ops);  // [T, D] -> [T, 4 D]
  ctx.ops.ForRows(hidden.rows, [&](int64_t t) {
    k.sigmoid_mul(hidden.row(t), hidden.row(t), hidden.row(t), hidden.cols);  // silu
  });
  w.contract.Apply(hidden, y, ctx.ops);  // [T, 4 D] -> [T, D]
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    k.rms_norm(y.row(t), w.post_norm.data(), y.row(t), y.cols, kConformerNormEps);
    k.axpy(ctx.config.residual_weight, y.row(t), x.row(t), x.cols);
  });
  return OkStatus();
}

}  // namespace gemma3n
