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
constexpr int64_t kMostRows = 512;      // whose packed x stays in the second-level cache
constexpr int64_t kLeastOutputs = 128;  // of down for a thread

// What survives of one row: its columns, ascending, and values.
struct Survivors {
  std::span<int32_t> columns;
  float* values = nullptr;
  int64_t count() const { return static_cast<int64_t>(columns.size()); }
};

// Moves what is left of a row of gate together, in place.
Survivors Compact(std::span<float> gate, const StageContext& ctx) {
  const std::span<int32_t> columns = ctx.arena.Array<int32_t>(std::ssize(gate));
  size_t count = 0;
  for (size_t first = 0; first < gate.size(); first += kSparseColumns) {
    uint8_t at[kSparseColumns];
    const auto block = static_cast<int64_t>(std::min<size_t>(kSparseColumns, gate.size() - first));
    const int64_t more =
        ctx.ops.kernels().compress(gate.data() + first, block, gate.data() + count, at);
    for (int64_t i = 0; i < more; ++i) columns[count++] = static_cast<int32_t>(first) + at[i];
  }
  return {columns.first(count), gate.data()};
}

// The columns of any row, ascending.
std::span<const int32_t> Together(std::span<const Survivors> rows, int64_t cols,
                                  const StageContext& ctx) {
  if (rows.size() == 1) return rows[0].columns;
  const std::span<uint8_t> wanted = ctx.arena.Array<uint8_t>(cols);
  std::ranges::fill(wanted, 0);
  for (const Survivors& row : rows) {
    for (const int32_t column : row.columns) wanted[static_cast<size_t>(column)] = 1;
  }
  const std::span<int32_t> list = ctx.arena.Array<int32_t>(cols);
  size_t count = 0;
  for (int64_t i = 0; i < cols; ++i) {
    list[count] = static_cast<int32_t>(i);
    count += wanted[static_cast<size_t>(i)];
  }
  return list.first(count);
}

// Only the rows of up that some token's gate left are read, and only the columns of down.
void FewRowsMlp(const MlpWeights& w, const ConstView& x, const View& gate, const View& y,
                const StageContext& ctx) {
  const KernelTable& k = ctx.ops.kernels();
  const View up = ctx.Tensor(gate.rows, gate.cols);
  const ColumnMatrix down = w.down_columns->Get(ctx.ops.pool());
  Survivors survivors[kFewRows];
  const auto rows = std::span(survivors).first(static_cast<size_t>(gate.rows));
  for (int64_t t = 0; t < gate.rows; ++t)
    survivors[t] = Compact({gate.row(t), static_cast<size_t>(gate.cols)}, ctx);
  ctx.ops.LinearRows(w.up.RowSlice(0, gate.cols), Together(rows, gate.cols, ctx), x, up);
  for (int64_t t = 0; t < gate.rows; ++t) {
    const Survivors& s = survivors[t];
    float* const left = up.row(t);
    for (int64_t i = 0; i < s.count(); ++i) left[i] = left[s.columns[static_cast<size_t>(i)]];
    k.gelu_mul(s.values, left, s.values, s.count());
  }
  const auto multiply = k.columns[static_cast<int>(down.dtype)];
  const int64_t outputs = RoundUp(CeilDiv(y.cols, ctx.ops.pool().threads()), kLeastOutputs);
  ctx.ops.pool().ParallelFor(CeilDiv(y.cols, outputs), 1, [&](int64_t begin, int64_t end) {
    const int64_t stop = std::min(end * outputs, y.cols);
    for (int64_t t = 0; t < y.rows; ++t) {
      const Survivors& s = survivors[t];
      multiply(down, begin * outputs, stop, s.columns.data(), s.values, s.count(), y.row(t));
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
