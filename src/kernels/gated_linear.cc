#include "kernels/gated_linear.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/rounding.h"
#include "kernels/many_rows_linear.h"

namespace gemma3n {
namespace {

// mean + z times the deviation, of the moments of all groups of the gate's rows.
float Cutoff(const float* moments, int64_t row, int64_t stride, int64_t width, int64_t group_rows,
             float z) {
  double mean = 0, squares = 0, count = 0;
  for (int64_t first = 0; first < width; first += group_rows, moments += 2 * stride) {
    const auto own = static_cast<double>(std::min(group_rows, width - first));
    const double apart = moments[row] - mean;
    count += own;
    mean += apart * own / count;
    squares += moments[stride + row] + apart * apart * own * (count - own) / count;
  }
  return static_cast<float>(mean + std::sqrt(squares / count) * static_cast<double>(z));
}

const GatedKernels* Offered(const GatedMlp& mlp, const ConstView& x, const Ops& ops) {
  const ManyRowsKernels* many = ops.kernels().many_rows;
  if (ops.precision() != Precision::kAuto || many == nullptr || many->gated == nullptr ||
      x.cols <= 0 || mlp.gate.dtype != mlp.up.dtype ||
      mlp.gate.rows % many->gated->unit_columns != 0) {
    return nullptr;
  }
  const auto type = static_cast<int>(mlp.gate.dtype);
  const bool offered = many->gated->both[type] != nullptr &&
                       x.rows >= many->gated->least_rows[type] &&
                       many->multiply[static_cast<int>(mlp.down.dtype)] != nullptr;
  return offered ? many->gated : nullptr;
}

}  // namespace

bool GatedLinear(const GatedMlp& mlp, const ConstView& x, const View& y, const Ops& ops) {
  const GatedKernels* gated = Offered(mlp, x, ops);
  if (gated == nullptr) return false;
  const ManyRowsKernels& many = *ops.kernels().many_rows;
  const auto type = static_cast<int>(mlp.gate.dtype);
  const int64_t width = mlp.gate.rows, groups = CeilDiv(width, many.group_rows);
  const int64_t threads = ops.pool().threads(), most = std::min(x.rows, many.most_rows);
  const int64_t stride = RoundUp(most, many.unit_rows);
  const bool cut = mlp.sparsity_z != 0;

  int64_t bytes = 0;
  const auto take = [&](int64_t part) {
    const int64_t at = bytes;
    bytes += RoundUp(part, 64);
    return at;
  };
  const int64_t thread_bytes =
      RoundUp(std::max(gated->scratch_bytes(most), many.scratch_bytes(most)), 64);
  const int64_t scratch_at = take(threads * thread_bytes),
                x_at = take(many.packed_bytes(most, x.cols)),
                out_at = take(many.packed_bytes(most, width)),
                sums_at = take(cut ? groups * gated->group_bytes(most) : 0),
                moments_at = take(cut ? 4 * groups * 2 * stride : 0), cutoffs_at = take(4 * stride);
  std::byte* const memory = ops.Scratch(bytes);

  const int64_t range = RoundUp(RangeRows(width, threads, many), many.group_rows);
  const auto each_range = [&](const GatedRows& rows, GatedKernels::Fn kernel) {
    ops.ForSlots(CeilDiv(width, range), [&](int slot, int64_t i) {
      kernel(rows, i * range, std::min((i + 1) * range, width),
             memory + scratch_at + slot * thread_bytes);
    });
  };
  for (int64_t first = 0; first < x.rows; first += most) {
    const int64_t count = std::min(most, x.rows - first);
    auto* const cutoffs = reinterpret_cast<float*>(memory + cutoffs_at);
    const GatedRows rows = {.gate = &mlp.gate,
                            .up = &mlp.up,
                            .x = memory + x_at,
                            .count = count,
                            .out = memory + out_at,
                            .sums = memory + sums_at,
                            .moments = reinterpret_cast<float*>(memory + moments_at),
                            .cutoffs = cutoffs};
    PackRows(many, {x, {}}, first, count, memory + x_at, ops);
    if (cut) {
      each_range(rows, gated->gate[type]);
      const int64_t padded = RoundUp(count, many.unit_rows);
      ops.ForRows(padded, groups * 8, [&](int64_t t) {
        cutoffs[t] = Cutoff(rows.moments, t, padded, width, many.group_rows, mlp.sparsity_z);
      });
      each_range(rows, gated->up[type]);
    } else {
      each_range(rows, gated->both[type]);
    }
    const Ops::Product down = {mlp.down, y};
    MultiplyRows(many, std::span(&down, 1), first, count, memory + out_at, memory + scratch_at,
                 thread_bytes, ops);
  }
  return true;
}

}  // namespace gemma3n
