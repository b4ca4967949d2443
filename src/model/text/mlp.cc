#include "model/text/mlp.h"

#include <algorithm>
#include <span>

#include "kernels/few_rows.h"

namespace gemma3n {
namespace {

// From this multiplier on (four fifths are cut off), what survives is looked for.
constexpr float kSparseZ = 0.84f;

// What survives of one row: its columns, ascending, and values.
struct Survivors {
  std::span<int32_t> columns;
  float* values = nullptr;
  int64_t count() const { return static_cast<int64_t>(columns.size()); }
};

// The columns where any of the rows [begin, end) of g is not zero.
std::span<int32_t> NonZero(const View& g, int64_t begin, int64_t end, const StageContext& ctx) {
  const auto list = ctx.arena.Array<int32_t>(g.cols);
  size_t count = 0;
  for (int64_t i = 0; i < g.cols; ++i) {
    bool any = false;
    for (int64_t t = begin; t < end; ++t) any |= g.row(t)[i] != 0;
    list[count] = static_cast<int32_t>(i);
    count += any ? 1 : 0;
  }
  return list.first(count);
}

// Where a gate is exactly zero, its row of up and its column of down contribute nothing. So only
// the rows of up that some token's gate left are read, and only the columns of down.
//   gate: [T, F] after the cut; up: [T, F], scratch
Status SparseForward(const MlpWeights& w, const ConstView& x, const View& gate, const View& up,
                     const View& y, const StageContext& ctx) {
  const KernelTable& k = ctx.ops.kernels();
  const ColumnMatrix down = w.down_columns->Get(ctx.ops.pool());
  ctx.ops.LinearRows(w.up.RowSlice(0, gate.cols), NonZero(gate, 0, gate.rows, ctx), x, up);
  Survivors survivors[kFewRows];
  for (int64_t t = 0; t < gate.rows; ++t) {
    Survivors& s = survivors[t];
    s.columns = NonZero(gate, t, t + 1, ctx);
    s.values = gate.row(t);  // moved together in place
    for (int64_t i = 0; i < s.count(); ++i) {
      const int32_t column = s.columns[static_cast<size_t>(i)];
      gate.row(t)[i] = gate.row(t)[column];
      up.row(t)[i] = up.row(t)[column];
    }
    k.gelu_mul(s.values, up.row(t), s.values, s.count());
  }
  constexpr int64_t kOutputs = 256;
  const int64_t pieces = (y.cols + kOutputs - 1) / kOutputs;
  ctx.ops.pool().ParallelFor(pieces, 1, [&](int64_t begin, int64_t end) {
    const int64_t stop = std::min(end * kOutputs, y.cols);
    for (int64_t t = 0; t < y.rows; ++t) {
      const Survivors& s = survivors[t];
      k.columns(down, begin * kOutputs, stop, s.columns.data(), s.values, s.count(), y.row(t));
    }
  });
  return OkStatus();
}

}  // namespace

Status MlpForward(const MlpWeights& w, int64_t width, float sparsity_z, const ConstView& x,
                  const View& y, const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, y.rows, ctx.config.hidden_size, "mlp input"));
  Arena::Scope scope(ctx.arena);
  const KernelTable& k = ctx.ops.kernels();
  const View gate = ctx.Tensor(x.rows, width), up = ctx.Tensor(x.rows, width);
  const Matrix gate_rows = w.gate.RowSlice(0, width), up_rows = w.up.RowSlice(0, width);
  const bool skips = sparsity_z >= kSparseZ && x.rows <= kFewRows && w.down_columns != nullptr &&
                     ctx.ops.precision() == Precision::kAuto;
  if (skips) {
    ctx.ops.Linear(gate_rows, x, gate);  // [T, D] -> [T, F]
  } else {
    ctx.ops.LinearEach({{gate_rows, gate}, {up_rows, up}}, x);  // [T, D] -> [T, F]
  }
  if (sparsity_z != 0) {  // negative below a sparsity of one half
    ctx.ops.ForRows(x.rows, [&](int64_t t) { k.gaussian_topk(gate.row(t), width, sparsity_z); });
  }
  ctx.Tap("mlp_gate", gate);
  if (skips) return SparseForward(w, x, gate, up, y, ctx);
  ctx.ops.LinearGated(w.down.ColPrefix(width), gate, up, y);  // [T, F] -> [T, D]
  if (w.down_columns != nullptr) w.down_columns->WasRead(x.rows);
  return OkStatus();
}

}  // namespace gemma3n
