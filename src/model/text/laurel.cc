#include "model/text/laurel.h"

namespace gemma3n {

Status LaurelForward(const LaurelWeights& w, const ConstView& x, const View& y,
                     const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, y.rows, ctx.config.hidden_size, "laurel input"));
  Arena::Scope scope(ctx.arena);
  const View low = ctx.Tensor(x.rows, ctx.config.laurel_rank);
  ctx.ops.Linear(w.left, x, low);   // [T, D] -> [T, rank]
  ctx.ops.Linear(w.right, low, y);  // [T, rank] -> [T, D]
  ctx.ops.RmsNorm(w.post_norm.data(), ctx.config.rms_norm_eps, y, y);
  ctx.ops.ForRows(x.rows, [&](int64_t t) { ctx.ops.kernels().add(x.row(t), y.row(t), y.cols); });
  ctx.Tap("laurel_out", y);
  return OkStatus();
}

}  // namespace gemma3n
