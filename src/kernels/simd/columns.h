// Products of few columns of a ColumnMatrix.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/common.h"

namespace gemma3n::simd {

// kGroups times 32 rows from `row` on; the sums stay in registers.
template <class S, int kGroups>
G3N_INLINE void AddColumns(const ColumnMatrix& w, int64_t row, const int32_t* list, const float* x,
                           int64_t count, float* y) {
  using F = typename S::F;
  constexpr int kVectors = 16 / S::kLanes;
  constexpr int64_t kAhead = 16;  // columns ahead that are asked for, into the second-level cache
  F acc[kGroups][2][kVectors];
  G3N_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    G3N_UNROLL
    for (int i = 0; i < kVectors; ++i) acc[g][0][i] = acc[g][1][i] = S::Zero();
  }
  for (int64_t i = 0; i < count; ++i) {
    const int32_t ahead = list[Min(i + kAhead, count - 1)];
    for (int b = 0; b < 16 * kGroups; b += 64)
      __builtin_prefetch(w.levels(ahead) + row / 2 + b, 0, 2);
    for (int b = 0; b < 64 * kGroups; b += 64)
      __builtin_prefetch(w.scales(ahead) + 2 * row + b, 0, 2);

    const auto* levels = reinterpret_cast<const uint8_t*>(w.levels(list[i]) + row / 2);
    const std::byte* scales = w.scales(list[i]) + 2 * row;
    const auto values = S::Centered(S::Set1(x[i]), 8);
    G3N_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto q = S::LoadU8(levels + 16 * g + v * S::kLanes);
        const std::byte* d = scales + 64 * g + 2 * v * S::kLanes;
        acc[g][0][v] = S::Fma(S::Level(values, q), S::LoadHalf(d), acc[g][0][v]);
        acc[g][1][v] = S::Fma(S::Level(values, S::Shift(q, -4)), S::LoadHalf(d + 32), acc[g][1][v]);
      }
    }
  }
  G3N_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      S::Store(y + 32 * g + v * S::kLanes, acc[g][0][v]);
      S::Store(y + 32 * g + 16 + v * S::kLanes, acc[g][1][v]);
    }
  }
}

template <class S>
void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y) {
  // Sums that fit the registers: 16 of sixteen lanes, 8 of eight or four.
  constexpr int kGroups = S::kLanes >= 8 ? S::kLanes * S::kLanes / 32 : 1;
  int64_t r = row_begin;
  for (; r + 32 * kGroups <= row_end; r += 32 * kGroups)
    AddColumns<S, kGroups>(w, r, list, x, count, y + r);
  for (; r < row_end; r += 32) AddColumns<S, 1>(w, r, list, x, count, y + r);
}

}  // namespace gemma3n::simd
