#include "kernels/sparse_linear.h"

#include <algorithm>
#include <cstring>

#include "base/rounding.h"

namespace gemma3n {

bool SparsePays(const Ops& ops, int64_t rows) {
  const int64_t least = ops.kernels().sparse_rows;
  return ops.precision() == Precision::kAuto && least > 0 && rows >= least;
}

SparseRows FindNonZero(const View& x, Arena& arena, const Ops& ops) {
  SparseRows found = {x.rows, x.cols};
  const int64_t most = x.rows * x.cols, blocks = found.blocks();
  found.starts = arena.Array<int32_t>(blocks * x.rows + 1).data();
  found.columns = arena.Array<uint8_t>(most).data();
  found.values = arena.Floats(most);
  const auto columns = arena.Array<uint8_t>(most);  // row after row
  ops.ForRows(x.rows, [&](int64_t t) {
    int64_t count = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t first = b * kSparseColumns, n = std::min(kSparseColumns, x.cols - first);
      const int64_t more = ops.kernels().compress(x.row(t) + first, n, x.row(t) + count,
                                                  columns.data() + t * x.cols + count);
      found.starts[b * x.rows + t] = static_cast<int32_t>(more);
      count += more;
    }
  });
  int32_t count = 0;
  for (int64_t i = 0; i <= blocks * x.rows; ++i) {
    const int32_t more = i < blocks * x.rows ? found.starts[i] : 0;
    found.starts[i] = count;
    count += more;
  }
  ops.ForRows(x.rows, [&](int64_t t) {
    const float* values = x.row(t);
    const uint8_t* from = columns.data() + t * x.cols;
    for (int64_t b = 0; b < blocks; ++b) {
      const int32_t* start = found.starts + b * x.rows + t;
      const auto n = static_cast<size_t>(start[1] - start[0]);
      std::memcpy(found.values + start[0], values, n * sizeof(float));
      std::memcpy(found.columns + start[0], from, n);
      values += n;
      from += n;
    }
  });
  return found;
}

bool SampledLinear(const Matrix& w, const ConstView& x, const SparseRows& at, float* out,
                   const Ops& ops) {
  const SampledKernels* kernels = ops.kernels().sampled;
  const auto multiply = kernels == nullptr ? nullptr : kernels->multiply[static_cast<int>(w.dtype)];
  if (multiply == nullptr) return false;
  const int64_t packed_bytes = RoundUp(kernels->packed_bytes(x.rows, x.cols), 64);
  const int64_t thread_bytes = RoundUp(kernels->scratch_bytes, 64);
  std::byte* const packed = ops.Scratch(packed_bytes + ops.pool().threads() * thread_bytes);
  ops.ForRows(x.rows, x.cols, [&](int64_t t) { kernels->pack(x, t, packed); });
  ops.ForSlots(at.blocks(), [&](int slot, int64_t b) {
    multiply(w, b * kSparseColumns, at.Block(b), packed, out,
             packed + packed_bytes + slot * thread_bytes);
  });
  return true;
}

void SparseLinear(const Matrix& w, const SparseRows& x, const View& y, const Ops& ops) {
  const KernelTable& k = ops.kernels();
  const auto dequantize = k.dequantize[static_cast<int>(w.dtype)];
  constexpr int64_t kTile = kSparseOutputs * kSparseStride;  // of W
  const int64_t slot_floats = kTile + x.rows * kSparseOutputs;
  auto* const scratch = reinterpret_cast<float*>(
      ops.Scratch(ops.pool().threads() * slot_floats * static_cast<int64_t>(sizeof(float))));
  ops.ForSlots(CeilDiv(w.rows, kSparseOutputs), [&](int slot, int64_t tile) {
    float* const rows = scratch + slot * slot_floats;  // of W
    float* const sums = rows + kTile;                  // of y
    const int64_t first = tile * kSparseOutputs, count = std::min(kSparseOutputs, w.rows - first);
    std::fill(rows, sums + x.rows * kSparseOutputs, 0.0f);
    for (int64_t b = 0; b < x.blocks(); ++b) {
      const int64_t column = b * kSparseColumns, cols = std::min(kSparseColumns, x.cols - column);
      const int64_t bytes = RowBytes(w.dtype, cols);
      for (int64_t r = 0; r < count; ++r) {
        const std::byte* src = w.row(first + r) + RowBytes(w.dtype, column);
        for (int64_t ahead = 0; ahead < bytes; ahead += 64) __builtin_prefetch(src + bytes + ahead);
        dequantize(src, rows + r * kSparseStride, cols);
      }
      k.add_sparse(rows, x.Block(b), x.values, sums);
    }
    for (int64_t t = 0; t < x.rows; ++t)
      std::copy_n(sums + t * kSparseOutputs, count, y.row(t) + first);
  });
}

}  // namespace gemma3n
