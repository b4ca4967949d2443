#include "model/text/sparse_mlp.h"

#include <algorithm>
#include <span>

#include "base/rounding.h"
#include "kernels/few_rows.h"
#include "kernels/sparse_linear.h"

namespace gemma3n {
namespace {

// From this multiplier on (four fifths are cut off), what survives is looked for.
constexpr float kSparseZ = 0.84f;
constexpr int64_t kMostRows = 512;  // whose packed x stays in the second-level cache

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

// Only the rows of up that some token's gate left are read, and only the columns of down.
void FewRowsMlp(const MlpWeights& w, const ConstView& x, const View& gate, const View& y,
                const StageContext& ctx) {
  const KernelTable& k = ctx.ops.kernels();
  const View up = ctx.Tensor(gate.rows, gate.cols);
  const ColumnMatrix down = w.down_columns->Get(ctx.ops.pool());
  const std::span<int32_t> any = NonZero(gate, 0, gate.rows, ctx);
  ctx.ops.LinearRows(w.up.RowSlice(0, gate.cols), any, x, up);
  Survivors survivors[kFewRows];
  for (int64_t t = 0; t < gate.rows; ++t) {
    Survivors& s = survivors[t];
    s.columns = gate.rows == 1 ? any : NonZero(gate, t, t + 1, ctx);
    s.values = gate.row(t);  // moved together in place
    for (int64_t i = 0; i < s.count(); ++i) {
      const int32_t column = s.columns[static_cast<size_t>(i)];
      gate.row(t)[i] = gate.row(t)[column];
      up.row(t)[i] = up.row(t)[column];
    }
    k.gelu_mul(s.values, up.row(t), s.values, s.count());
  }
  const auto multiply = k.columns[static_cast<int>(down.dtype)];
  constexpr int64_t kOutputs = 256;
  ctx.ops.pool().ParallelFor(CeilDiv(y.cols, kOutputs), 1, [&](int64_t begin, int64_t end) {
    const int64_t stop = std::min(end * kOutputs, y.cols);
    for (int64_t t = 0; t < y.rows; ++t) {
      const Survivors& s = survivors[t];
      multiply(down, begin * kOutputs, stop, s.columns.data(), s.values, s.count(), y.row(t));
    }
  });
}

// Products of x with the rows of up at the places that are left, or all of them and those taken.
void UpAt(const SparseRows& at, const Matrix& up, const ConstView& x, float* out,
          const StageContext& ctx) {
  if (SampledLinear(up, x, at, out, ctx.ops)) return;
  Arena::Scope scope(ctx.arena);
  const View all = ctx.Tensor(x.rows, at.cols);
  ctx.ops.Linear(up, x, all);
  ctx.ops.ForRows(at.blocks(), x.rows * kSparseColumns, [&](int64_t b) {
    const SparseBlock block = at.Block(b);
    for (int64_t t = 0; t < x.rows; ++t) {
      for (int64_t i = block.starts[t]; i < block.starts[t + 1]; ++i)
        out[i] = all.row(t)[b * kSparseColumns + block.columns[i]];
    }
  });
}

void ManyRowsMlp(const MlpWeights& w, const ConstView& x, const View& gate, const View& y,
                 const StageContext& ctx) {
  const KernelTable& k = ctx.ops.kernels();
  const SparseRows left = FindNonZero(gate, ctx.arena, ctx.ops);
  float* const up = gate.data;  // what is left of it has been copied
  UpAt(left, w.up.RowSlice(0, gate.cols), x, up, ctx);
  constexpr int64_t kPiece = 4096;
  ctx.ops.ForRows(CeilDiv(left.count(), kPiece), kPiece, [&](int64_t i) {
    float* values = left.values + i * kPiece;
    k.gelu_mul(values, up + i * kPiece, values, std::min(kPiece, left.count() - i * kPiece));
  });
  SparseLinear(w.down.ColPrefix(gate.cols), left, y, ctx.ops);
}

}  // namespace

bool SparseMlpPays(const MlpWeights& w, float sparsity_z, int64_t rows, const Ops& ops) {
  if (sparsity_z < kSparseZ) return false;
  if (rows > kFewRows) return SparsePays(ops, rows);
  return w.down_columns != nullptr && ops.precision() == Precision::kAuto;
}

void SparseMlp(const MlpWeights& w, const ConstView& x, const View& gate, const View& y,
               const StageContext& ctx) {
  if (x.rows <= kFewRows) return FewRowsMlp(w, x, gate, y, ctx);
  for (int64_t first = 0; first < x.rows; first += kMostRows) {
    Arena::Scope scope(ctx.arena);
    const int64_t rows = std::min(kMostRows, x.rows - first);
    ManyRowsMlp(w, x.Rows(first, rows), gate.Rows(first, rows), y.Rows(first, rows), ctx);
  }
}

}  // namespace gemma3n
