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
      : rows_(w.rows),
        halves_(w.data + kLayout.halves(w.rows, col) + 2 * row),
        bytes_(w.data + kLayout.bytes(w.rows, col) + row),
        levels_(w.data + kLayout.levels(w.rows, col) +
                (kLayout.bits >= 8 ? kLayout.column_bytes(row) : row / 2)),
        fifth_bits_(w.data + kLayout.levels(w.rows, col) + w.rows / 2 + row / 8) {}

  // Asks for so many rows, into the second-level cache.
  template <int kRows>
  G3N_INLINE void Prefetch() const {
    G3N_UNROLL
    for (int i = 0; i < kLayout.factors; ++i) {
      Ask<2 * kRows>(halves_ + 2 * i * rows_);
      if constexpr (kLayout.has_bytes()) Ask<kRows>(bytes_ + i * rows_);
    }
    Ask<kLayout.bits >= 8 ? kLayout.column_bytes(kRows) : kRows / 2>(levels_);
    if constexpr (kLayout.bits == 5) Ask<kRows / 8>(fifth_bits_);
  }

  // Rows r, r + 1, ...; r is a multiple of kLanes.
  G3N_INLINE F Values(int r) const {
    if constexpr (kType == DType::kF16) return S::LoadHalf(levels_ + 2 * r);
    if constexpr (kType == DType::kBF16) return S::LoadBFloat16(levels_ + 2 * r);
    const F scaled = Factor(0, r), level = Level(r);
    if constexpr (kLayout.factors == 2) return S::Fma(scaled, level, Factor(1, r));
    return S::Mul(scaled, level);
  }

 private:
  template <int kBytes>
  static G3N_INLINE void Ask(const std::byte* p) {
    for (int b = 0; b < kBytes; b += 64) __builtin_prefetch(p + b, 0, 2);
  }
  static G3N_INLINE F Signed(const std::byte* p) {
    return S::ToFloat(S::LoadI8(reinterpret_cast<const int8_t*>(p)));
  }
  G3N_INLINE F Factor(int i, int r) const {
    const F half = S::LoadHalf(halves_ + 2 * (i * rows_ + r));
    if constexpr (!kLayout.has_bytes()) return half;
    return S::Mul(half, Signed(bytes_ + i * rows_ + r));
  }
  G3N_INLINE F Level(int r) const {
    if constexpr (kLayout.bits == 8) return Signed(levels_ + r);
    const auto* pairs = reinterpret_cast<const uint8_t*>(levels_) + r / 32 * 16 + r % 16;
    const auto q = S::Shift(S::LoadU8(pairs), r % 32 < 16 ? 0 : -4);
    if constexpr (kLayout.bits == 4) return S::Level(S::Centered(S::Set1(1), kLayout.zero), q);
    return S::ToFloat(
        S::Add16WhereBit(S::And(q, 15), reinterpret_cast<const uint8_t*>(fifth_bits_) + r / 8));
  }

  int64_t rows_;
  const std::byte *halves_, *bytes_, *levels_, *fifth_bits_;
};

// y += kCount columns, one after the other; kRows from `row` on, whose sums stay in registers.
template <class S, DType kType, int kCount, int kRows>
G3N_INLINE void AddColumns(const ColumnMatrix& w, int64_t row, const int32_t* list, const float* x,
                           float* y) {
  constexpr int kVectors = kRows / S::kLanes;
  typename S::F sum[kVectors];
  G3N_UNROLL
  for (int v = 0; v < kVectors; ++v) sum[v] = S::Load(y + v * S::kLanes);
  G3N_UNROLL
  for (int c = 0; c < kCount; ++c) {
    const Column<S, kType> column(w, list[c], row);
    const auto factor = S::Set1(x[c]);
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v)
      sum[v] = S::Fma(column.Values(v * S::kLanes), factor, sum[v]);
  }
  G3N_UNROLL
  for (int v = 0; v < kVectors; ++v) S::Store(y + v * S::kLanes, sum[v]);
}

// All rows of a few columns before the next, so that memory is read in long pieces; y stays in the
// first-level cache.
template <class S, DType kType>
void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y) {
  constexpr int kRows = 64, kAtOnce = 4, kAhead = 8;  // columns ahead that are asked for
  for (int64_t r = row_begin; r < row_end; r += S::kLanes) S::Store(y + r, S::Zero());
  int64_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) {
    int64_t r = row_begin;
    for (; r + kRows <= row_end; r += kRows) {
      for (int c = 0; c < kAtOnce; ++c)
        Column<S, kType>(w, list[Min(i + kAhead + c, count - 1)], r).template Prefetch<kRows>();
      AddColumns<S, kType, kAtOnce, kRows>(w, r, list + i, x + i, y + r);
    }
    for (; r < row_end; r += 32) AddColumns<S, kType, kAtOnce, 32>(w, r, list + i, x + i, y + r);
  }
  for (; i < count; ++i) {
    for (int64_t r = row_begin; r < row_end; r += 32)
      AddColumns<S, kType, 1, 32>(w, r, list + i, x + i, y + r);
  }
}

}  // namespace gemma3n::simd
