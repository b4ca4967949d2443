#include "model/text/mlp.h"

namespace gemma3n {

Status MlpForward(const MlpWeights& w, int64_t width, float sparsity_z, const ConstView& x,
                  const View& y, const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, y.rows, ctx.config.hidden_size, "mlp input"));
  Arena::Scope scope(ctx.arena);
  const KernelTable& k = ctx.ops.kernels();
  const View gate = ctx.Tensor(x.rows, width), up = ctx.Tensor(x.rows, width);
  ctx.ops.LinearEach({{w.gate.RowSlice(0, width), gate}, {w.up.RowSlice(0, width), up}},
                     x);  // [T, D] -> [T, F]
  if (sparsity_z != 0) {                               // negative below a sparsity of one half
    ctx.ops.ForRows(x.rows, [&](int64_t t) { k.gaussian_topk(gate.row(t), width, sparsity_z); });
  }
  ctx.Tap("mlp_gate", gate);
  ctx.ops.ForRows(x.rows,
                  [&](int64_t t) { k.gelu_mul(gate.row(t), up.row(t), gate.row(t), width); });
  ctx.ops.Linear(w.down.ColPrefix(width), gate, y);  // [T, F] -> [T, D]
  return OkStatus();
}

}  // namespace gemma3n
