#include "model/text/mlp.h"

#include "kernels/gated_linear.h"
#include "model/text/sparse_mlp.h"

namespace gemma3n {

Status MlpForward(const MlpWeights& w, int64_t width, float sparsity_z, const ConstView& x,
                  const View& y, const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, y.rows, ctx.config.hidden_size, "mlp input"));
  Arena::Scope scope(ctx.arena);
  const View gate = ctx.Tensor(x.rows, width);
  const Matrix gate_rows = w.gate.RowSlice(0, width), up_rows = w.up.RowSlice(0, width);
  const bool sparse = SparseMlpPays(w, sparsity_z, x.rows, ctx.ops);
  // At one go, unless someone wants to look at what lies between.
  if (!sparse && !ctx.probe &&
      GatedLinear({gate_rows, up_rows, w.down.ColPrefix(width), sparsity_z}, x, y, ctx.ops)) {
    if (w.down_columns != nullptr) w.down_columns->WasRead(x.rows);
    return OkStatus();
  }
  View up;
  if (sparse) {
    ctx.ops.Linear(gate_rows, x, gate);  // [T, D] -> [T, F]
  } else {
    up = ctx.Tensor(x.rows, width);
    ctx.ops.LinearEach({{gate_rows, gate}, {up_rows, up}}, x);  // [T, D] -> [T, F]
  }
  if (sparsity_z != 0) {  // negative below a sparsity of one half
    ctx.ops.ForRows(x.rows, [&](int64_t t) {
      ctx.ops.kernels().gaussian_topk(gate.row(t), width, sparsity_z);
    });
  }
  ctx.Tap("mlp_gate", gate);
  if (sparse) {
    SparseMlp(w, x, gate, y, ctx);
  } else {
    ctx.ops.LinearGated(w.down.ColPrefix(width), gate, up, y);  // [T, F] -> [T, D]
    if (w.down_columns != nullptr) w.down_columns->WasRead(x.rows);
  }
  return OkStatus();
}

}  // namespace gemma3n
