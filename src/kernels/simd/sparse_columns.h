// Rows that are mostly zeros: what is left of them, and sums of the columns of W that its places
// name.
#pragma once

#include "kernels/simd/common.h"
#include "kernels/sparse.h"

namespace gemma3n::simd {

template <class S>
int64_t Compress(const float* x, int64_t n, float* values, uint8_t* columns) {
  int64_t count = 0, i = 0;
  for (; i + S::kLanes <= n; i += S::kLanes)
    count += S::Compress(S::Load(x + i), static_cast<uint8_t>(i), values + count, columns + count);
  for (; i < n; ++i) {
    const float value = x[i];
    values[count] = value;
    columns[count] = static_cast<uint8_t>(i);
    count += value != 0 ? 1 : 0;
  }
  return count;
}

// w[r][c], kSparseStride apart, to tile[c][r], by 4 x 4.
static G3N_INLINE void TurnColumns(const float* w, float* tile) {
  using F4 = float __attribute__((vector_size(16)));
  for (int64_t c = 0; c < kSparseColumns; c += 4) {
    for (int64_t r = 0; r < kSparseOutputs; r += 4) {
      F4 v[4];
      G3N_UNROLL
      for (int i = 0; i < 4; ++i) __builtin_memcpy(&v[i], w + (r + i) * kSparseStride + c, 16);
      const F4 ab_low = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
      const F4 ab_high = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
      const F4 cd_low = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
      const F4 cd_high = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
      v[0] = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
      v[1] = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
      v[2] = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
      v[3] = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
      G3N_UNROLL
      for (int i = 0; i < 4; ++i) __builtin_memcpy(tile + (c + i) * kSparseOutputs + r, &v[i], 16);
    }
  }
}

// y stays in registers while the columns of a row come from the first- and second-level cache.
template <class S>
void AddSparse(const float* w, const SparseBlock& at, const float* values, float* y) {
  constexpr int kVectors = kSparseOutputs / S::kLanes;
  alignas(64) float tile[kSparseColumns * kSparseOutputs];
  TurnColumns(w, tile);
  for (int64_t t = 0; t < at.rows; ++t, y += kSparseOutputs) {
    typename S::F sum[kVectors];
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[v] = S::Load(y + v * S::kLanes);
    for (int64_t i = at.starts[t]; i < at.starts[t + 1]; ++i) {
      const float* column = tile + at.columns[i] * kSparseOutputs;
      const auto value = S::Set1(values[i]);
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v)
        sum[v] = S::Fma(S::Load(column + v * S::kLanes), value, sum[v]);
    }
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v) S::Store(y + v * S::kLanes, sum[v]);
  }
}

}  // namespace gemma3n::simd
