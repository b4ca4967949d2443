// Products of few columns of a ColumnMatrix.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/common.h"

namespace gemma3n::simd {

// A column from a row on, as vectors of its values, which have the bits that dequantising gives.
template <class S, DType kType>
class Column {
  using F = typename S::F;
  static constexpr ColumnLayout kLayout = LayoutByColumns(kType);

 public:
  G3N_INLINE Column(const ColumnMatrix& w, int64_t col, int64_t row)
      : scales_(w.data + kLayout.scales(w.rows, col) + 2 * row),
        levels_(w.data + kLayout.levels(w.rows, col) + kLayout.column_bytes(row)) {}

  // Asks for so many rows, into the second-level cache.
  template <int kRows>
  G3N_INLINE void Prefetch() const {
    Ask<2 * kRows>(scales_);
    Ask<kLayout.column_bytes(kRows)>(levels_);
  }

  // Rows r, r + 1, ...; r is a multiple of kLanes.
  G3N_INLINE F Values(int r) const {
    const F d = S::LoadHalf(scales_ + 2 * r);
    if constexpr (kLayout.bits == 4) {
      return S::Mul(d, S::Level(S::Centered(S::Set1(1), 8), Nibbles(r)));
    } else {
      return S::Mul(d, S::ToFloat(S::LoadI8(reinterpret_cast<const int8_t*>(levels_) + r)));
    }
  }

 private:
  template <int kBytes>
  static G3N_INLINE void Ask(const std::byte* p) {
    for (int b = 0; b < kBytes; b += 64) __builtin_prefetch(p + b, 0, 2);
  }
  // In the low four bits of each lane.
  G3N_INLINE typename S::I Nibbles(int r) const {
    const auto* bytes = reinterpret_cast<const uint8_t*>(levels_) + r / 32 * 16 + r % 16;
    return S::Shift(S::LoadU8(bytes), r % 32 < 16 ? 0 : -4);
  }

  const std::byte *scales_, *levels_;
};

// kRows from `row` on; the sums stay in registers.
template <class S, DType kType, int kRows>
G3N_INLINE void AddColumns(const ColumnMatrix& w, int64_t row, const int32_t* list, const float* x,
                           int64_t count, float* y) {
  constexpr int kVectors = kRows / S::kLanes;
  constexpr int64_t kAhead = 16;  // columns ahead that are asked for
  typename S::F sum[kVectors];
  G3N_UNROLL
  for (int v = 0; v < kVectors; ++v) sum[v] = S::Zero();
  for (int64_t i = 0; i < count; ++i) {
    Column<S, kType>(w, list[Min(i + kAhead, count - 1)], row).template Prefetch<kRows>();
    const Column<S, kType> column(w, list[i], row);
    const auto factor = S::Set1(x[i]);
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v)
      sum[v] = S::Fma(column.Values(v * S::kLanes), factor, sum[v]);
  }
  G3N_UNROLL
  for (int v = 0; v < kVectors; ++v) S::Store(y + v * S::kLanes, sum[v]);
}

template <class S, DType kType>
void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y) {
  // Sums that fit the registers: 16 of sixteen lanes, 8 of eight.
  constexpr int kRows = S::kLanes * S::kLanes;
  int64_t r = row_begin;
  for (; r + kRows <= row_end; r += kRows) AddColumns<S, kType, kRows>(w, r, list, x, count, y + r);
  for (; r < row_end; r += 32) AddColumns<S, kType, 32>(w, r, list, x, count, y + r);
}

}  // namespace gemma3n::simd
