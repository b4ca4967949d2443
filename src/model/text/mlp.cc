#include "model/text/mlp.h"

#include "kernels/few_rows.h"
#include "kernels/gated_linear.h"
#include "model/text/sparse_mlp.h"

namespace gemma3n {
namespace {

// The stages one after the other. sparse: the zeros of the gate are left out.
void StagedMlp(const MlpWeights& w, const GatedMlp& mlp, bool sparse, const ConstView& x,
               const View& y, const StageContext& ctx) {
  const int64_t width = mlp.gate.rows;
  const View gate = ctx.Tensor(x.rows, width);
  View up;
  if (sparse) {
    ctx.ops.Linear(mlp.gate, x, gate);  // [T, D] -> [T, F]
  } else {
    up = ctx.Tensor(x.rows, width);
    ctx.ops.LinearEach({{mlp.gate, gate}, {mlp.up, up}}, x);  // [T, D] -> [T, F]
  }
  if (mlp.sparsity_z != 0) {  // negative below a sparsity of one half
    ctx.ops.ForRows(x.rows, [&](int64_t t) {
      ctx.ops.kernels().gaussian_topk(gate.row(t), width, mlp.sparsity_z);
    });
  }
  ctx.Tap("mlp_gate", gate);
  if (sparse) return SparseMlp(w, x, gate, y, ctx);
  ctx.ops.LinearGated(mlp.down, gate, up, y);  // [T, F] -> [T, D]
}

}  // namespace

Status MlpForward(const MlpWeights& w, int64_t width, float sparsity_z, const ConstView& x,
                  const View& y, const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, y.rows, ctx.config.hidden_size, "mlp input"));
  Arena::Scope scope(ctx.arena);
  const Matrix gate = w.gate.RowSlice(0, width), up = w.up.RowSlice(0, width),
               down = w.down.ColPrefix(width);
  const GatedMlp mlp = {gate, up, down, sparsity_z};
  const bool sparse = SparseMlpPays(w, sparsity_z, x.rows, ctx.ops);
  // At one go, unless someone wants to look at what lies between.
  if (sparse || ctx.probe || !GatedLinear(mlp, x, y, ctx.ops)) {
    StagedMlp(w, mlp, sparse, x, y, ctx);
  }
  const bool by_columns = sparse && x.rows <= kFewRows;
  if (w.down_columns != nullptr && !by_columns) w.down_columns->WasRead(x.rows);
  return OkStatus();
}

}  // namespace gemma3n
