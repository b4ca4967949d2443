// A slab of stored rows as the int8 products of simd/many_rows_int8.h want it; V and D are
// described there.
#pragma once

#include "kernels/many_rows.h"
#include "kernels/simd/many_rows_blocks.h"
#include "tensor/matrix.h"

namespace gemma3n::simd {

inline constexpr int64_t kInt8Block = 32, kInt8SlabBlocks = kManyRowsSlab / kInt8Block;

// A slab of a vector's rows of W: 4 kSides columns of each row, then the next ones.
template <class V>
struct Int8Weights {
  static constexpr int64_t kRows = V::kLanes / V::kSides;
  static constexpr int64_t kPlane = kManyRowsSlab * kRows, kStart = 4 * V::kLanes;
  alignas(64) uint8_t q[2 * kPlane];
  alignas(64) std::byte starts[2 * kInt8SlabBlocks * kStart];
  alignas(64) float scales[2 * kInt8SlabBlocks * V::kLanes];
  alignas(64) float mins[kInt8SlabBlocks * V::kLanes];
  // -D::kBias times the scale, of a block's first half. A scale has at most 19 bits and the bias
  // two, so it is exact, and (sum + bias) * scale + this has the bits of sum * scale.
  alignas(64) float biases[kInt8SlabBlocks * V::kLanes];
};

// Bytes of a slab of a stored row.
template <class B>
inline constexpr int64_t kInt8Stored = kInt8SlabBlocks / B::kParts * sizeof(typename B::Stored);

// Integers of one vector as the products want them, and what their sums start with.
template <class V, class D, class B, class W>
G3N_INLINE void SettleInt8(W& w, int64_t blocks) {
  constexpr int64_t kGroups = 8 / V::kSides / B::kHalves;
  uint8_t* q = w.q;
  for (int64_t b = 0; b < blocks * B::kHalves; ++b) {
    [[maybe_unused]] auto acc = D::Zero();
    for (int64_t g = 0; g < kGroups; ++g, q += W::kStart) {
      if constexpr (B::kLevels != nullptr) V::StoreBytes(q, V::LookUp(V::LoadBytes(q), B::kLevels));
      D::Split(q, W::kPlane);
      if constexpr (V::kFlip != 0) {
        constexpr uint8_t kZeros[4] = {V::kFlip, V::kFlip, V::kFlip, V::kFlip};
        acc = D::Dot(acc, D::Load(q, W::kPlane), V::Broadcast(kZeros, 0));
      }
    }
    if constexpr (V::kFlip != 0)
      D::StoreStart(w.starts + b * D::kPlanes * W::kStart, D::Minus(acc));
  }
}

// Rows [row, row + kRows) of W; instead of those from `end` on, its last row again.
template <class V, class D, class B>
G3N_INLINE void ExpandInt8(const Matrix& w, int64_t row, int64_t end, int64_t slab, int64_t blocks,
                           Int8Weights<V>& out) {
  constexpr int64_t kLanes = V::kLanes, kRows = Int8Weights<V>::kRows;
  const typename B::Stored* src[kRows];
  for (int64_t r = 0; r < kRows; ++r) {
    src[r] = reinterpret_cast<const typename B::Stored*>(w.row(Min(row + r, end - 1)) +
                                                         slab * kInt8Stored<B>);
  }
  constexpr int64_t kEight = 8 * kRows;  // parts' scales or, in words, a part's integers
  alignas(64) float scales[B::kHalves * kEight] = {}, mins[kEight] = {};
  alignas(64) uint8_t rows[4 * kEight];
  for (int64_t b = 0; b < blocks; b += 8) {
    const int64_t parts = Min(8, blocks - b);
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t i = 0; i < parts; i += B::kParts) {
        B::template Scales<V>(src[r][i / B::kParts], scales + r * 8 * B::kHalves + i,
                              mins + r * 8 + i);
      }
    }
    for (int h = 0; h < B::kHalves; ++h)
      V::Transpose(scales + 8 * h, 8 * B::kHalves, out.scales + (b * B::kHalves + 8 * h) * kLanes);
    if constexpr (B::kHasMin) V::Transpose(mins, 8, out.mins + b * kLanes);
    if constexpr (D::kBias != 0) {
      for (int64_t i = b; i < b + 8; ++i) {
        const auto scale = V::Load(out.scales + i * B::kHalves * kLanes);
        V::Store(out.biases + i * kLanes, V::Mul(scale, V::Set1(-D::kBias)));
      }
    }
    for (int64_t i = 0; i < parts; ++i) {
      for (int64_t r = 0; r < kRows; ++r)
        B::Integers(src[r][i / B::kParts], i % B::kParts, rows + r * kInt8Block);
      V::Transpose(rows, 8, out.q + (b + i) * kInt8Block * kRows);
    }
    for (int64_t r = 0; r < kRows; ++r) src[r] += 8 / B::kParts;
  }
  SettleInt8<V, D, B>(out, blocks);
}

}  // namespace gemma3n::simd
