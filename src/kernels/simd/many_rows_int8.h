// ManyRowsKernels by int8 dot products. x is rounded to int8 in blocks of 32 with a scale each, so
// that a block's sum of products with W's integers is exact; it counts scale_w * scale_x (and the
// sum of x counts W's min), and blocks are summed in float32 in ascending order, whatever the cut.
//
// V: lanes = rows of W, for rounding and scaling (L of simd/packed.h) and for products:
//   kFlip               what bytes of x are exchanged with: 128 where they are multiplied unsigned
//   LoadBytes, StoreBytes, Broadcast4, SubBytes, LookUp   bytes: four columns of each lane
//   Narrow, Wide        the products with small integers and with any bytes of W, each with
//     kRows, kVectors   of a tile in registers: rows of x, vectors of W's rows
//     kPlanes           that a byte of W becomes: Split(q, plane) writes them, W Load(q, plane)
//     Acc, Zero, Minus, LoadStart, StoreStart   a block's sums; as many bytes as planes of W
//     Dot, Finish       acc + w x for four columns; acc as floats
// What a flipped x adds to the sums is taken back by what they start with: it depends on W alone.
#pragma once

#include <cstring>

#include "kernels/many_rows.h"
#include "kernels/simd/many_rows_blocks.h"
#include "kernels/simd/packed.h"

namespace gemma3n::simd {

inline constexpr int64_t kInt8Block = 32, kInt8SlabBlocks = kManyRowsSlab / kInt8Block;
inline constexpr int64_t kInt8MostRows = 512, kInt8GroupRows = 256, kInt8UnitRows = 16;

// A slab of a row of x.
struct Int8Slab {
  uint8_t q[kManyRowsSlab];
  float scales[kInt8SlabBlocks];
  float sums[kInt8SlabBlocks];  // of a block as it was rounded
};

// A slab of V::kLanes rows of W: four columns of each row, then the next four.
template <class V>
struct Int8Weights {
  static constexpr int64_t kPlane = kManyRowsSlab * V::kLanes, kStart = 4 * V::kLanes;
  alignas(64) uint8_t q[2 * kPlane];
  alignas(64) std::byte starts[2 * kInt8SlabBlocks * kStart];
  alignas(64) float scales[2 * kInt8SlabBlocks * V::kLanes];
  alignas(64) float mins[kInt8SlabBlocks * V::kLanes];
};

template <class V>
inline constexpr int kInt8Vectors =
    V::Narrow::kVectors > V::Wide::kVectors ? V::Narrow::kVectors : V::Wide::kVectors;

static G3N_INLINE int64_t Int8Slabs(int64_t cols) {
  return (cols + kManyRowsSlab - 1) / kManyRowsSlab;
}

template <class V>  // a template, so that every file has its own
int64_t Int8PackedBytes(int64_t rows, int64_t cols) {
  return Int8Slabs(cols) * rows * static_cast<int64_t>(sizeof(Int8Slab));
}

template <class V>
int64_t Int8ScratchBytes(int64_t rows) {
  return static_cast<int64_t>(kInt8Vectors<V> * sizeof(Int8Weights<V>)) +
         rows * kInt8GroupRows * static_cast<int64_t>(sizeof(float));
}

template <class V>
void PackInt8Slab(const ConstView& x, int64_t row, int64_t slab, std::byte* packed) {
  const int64_t first = slab * kManyRowsSlab, cols = Min(kManyRowsSlab, x.cols - first);
  auto* out = reinterpret_cast<Int8Slab*>(packed) + slab * x.rows;
  for (int64_t t = row; t < Min(row + kInt8UnitRows, x.rows); ++t) {
    for (int64_t b = 0; b * kInt8Block < cols; ++b) {
      const float* src = x.row(t) + first + b * kInt8Block;
      auto bits = V::ZeroBits();
      for (int64_t i = 0; i < kInt8Block; i += V::kLanes)
        bits = V::MaxMagnitude(bits, V::Load(src + i));
      // The magnitudes' bits are ordered as the magnitudes are, infinity and then NaN above all.
      const uint32_t largest = V::ReduceMax(bits);
      const float scale = largest >= 0x7f800000  ? BitsToFloat(0x7fc00000)
                          : largest < 0x0d800000 ? 0.0f  // 2^-100
                                                 : BitsToFloat(largest) / 127.0f;
      const auto inverse = V::Set1(scale > 0 ? 1.0f / scale : 0.0f);
      uint8_t* q = out[t].q + b * kInt8Block;
      for (int64_t i = 0; i < kInt8Block; i += V::kLanes) {
        V::StoreInt8(reinterpret_cast<std::byte*>(q + i),
                     scale > 0 ? V::Mul(V::Load(src + i), inverse) : V::Zero(), V::kFlip);
      }
      int32_t sum = 0;
      for (int64_t i = 0; i < kInt8Block; ++i) sum += static_cast<int8_t>(q[i] ^ V::kFlip);
      out[t].scales[b] = scale;
      out[t].sums[b] = scale * static_cast<float>(sum);
    }
  }
}

// Integers of one vector as the products want them, and what their sums start with.
template <class V, class D, class B>
G3N_INLINE void SettleInt8(Int8Weights<V>& w, int64_t blocks) {
  using W = Int8Weights<V>;
  constexpr int64_t kGroups = 8 / B::kHalves;
  uint8_t* q = w.q;
  for (int64_t b = 0; b < blocks * B::kHalves; ++b) {
    auto acc = D::Zero();
    for (int64_t g = 0; g < kGroups; ++g, q += W::kStart) {
      if constexpr (B::kLevels != nullptr) {
        V::StoreBytes(q, V::LookUp(V::LoadBytes(q), B::kLevels));
      } else if constexpr (B::kCentre != 0) {
        V::StoreBytes(q, V::SubBytes(V::LoadBytes(q), B::kCentre));
      }
      D::Split(q, W::kPlane);
      if constexpr (V::kFlip != 0) {
        constexpr uint8_t kZeros[4] = {V::kFlip, V::kFlip, V::kFlip, V::kFlip};
        acc = D::Dot(acc, D::Load(q, W::kPlane), V::Broadcast4(kZeros));
      }
    }
    if constexpr (V::kFlip != 0)
      D::StoreStart(w.starts + b * D::kPlanes * W::kStart, D::Minus(acc));
  }
}

// Rows [row, row + kLanes) of W; instead of those from `end` on, its last row again.
template <class V, class D, class B>
G3N_INLINE void ExpandInt8(const Matrix& w, int64_t row, int64_t end, int64_t slab, int64_t blocks,
                           Int8Weights<V>& out) {
  for (int64_t r = 0; r < V::kLanes; ++r) {
    const auto* src = reinterpret_cast<const typename B::Stored*>(w.row(Min(row + r, end - 1))) +
                      slab * kInt8SlabBlocks / B::kParts;
    uint8_t* dst = out.q + r * 4;
    for (int64_t b = 0; b < blocks; ++src) {
      float scales[B::kParts * B::kHalves], mins[B::kParts];
      B::Scales(*src, scales, mins);
      for (int part = 0; part < B::kParts; ++part, ++b) {
        for (int h = 0; h < B::kHalves; ++h)
          out.scales[(b * B::kHalves + h) * V::kLanes + r] = scales[part * B::kHalves + h];
        if constexpr (B::kHasMin)
          out.mins[b * V::kLanes + r] = mins[part] + static_cast<float>(B::kCentre) * scales[part];
        uint64_t q[4];
        B::Integers(*src, part, q);
        for (int i = 0; i < 8; ++i, dst += 4 * V::kLanes) {
          const auto four = static_cast<uint32_t>(q[i / 2] >> 32 * (i % 2));
          std::memcpy(dst, &four, 4);
        }
      }
    }
  }
  SettleInt8<V, D, B>(out, blocks);
}

// sums[i] of kCount rows of x: += (or =) a slab's products with kVectors vectors of W's rows.
template <class V, class D, class B, int kCount>
G3N_INLINE void Int8Tile(const Int8Weights<V>* w, const Int8Slab* x, int64_t blocks, bool first,
                         float* sums) {
  using W = Int8Weights<V>;
  constexpr int kVectors = D::kVectors, kGroups = 8 / B::kHalves;
  constexpr int64_t kStride = kVectors * V::kLanes;
  typename V::F total[kCount][kVectors];
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v)
      total[i][v] = first ? V::Zero() : V::Load(sums + i * kStride + v * V::kLanes);
  }
  for (int64_t b = 0; b < blocks; ++b) {
    G3N_UNROLL
    for (int h = 0; h < B::kHalves; ++h) {
      const int64_t at = b * B::kHalves + h;
      typename D::Acc acc[kCount][kVectors];
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        auto start = D::Zero();
        if constexpr (V::kFlip != 0)
          start = D::LoadStart(w[v].starts + at * D::kPlanes * W::kStart);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i) acc[i][v] = start;
      }
      G3N_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        G3N_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const auto weights = D::Load(w[v].q + (at * kGroups + g) * W::kStart, W::kPlane);
          G3N_UNROLL
          for (int i = 0; i < kCount; ++i)
            acc[i][v] = D::Dot(acc[i][v], weights, V::Broadcast4(x[i].q + (at * kGroups + g) * 4));
        }
      }
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto scale = V::Load(w[v].scales + at * V::kLanes);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i) {
          total[i][v] =
              V::Fma(D::Finish(acc[i][v]), V::Mul(scale, V::Set1(x[i].scales[b])), total[i][v]);
        }
      }
    }
    if constexpr (B::kHasMin) {
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto min = V::Load(w[v].mins + b * V::kLanes);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i)
          total[i][v] = V::Fma(min, V::Set1(x[i].sums[b]), total[i][v]);
      }
    }
  }
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v) V::Store(sums + i * kStride + v * V::kLanes, total[i][v]);
  }
}

// A group of W's rows meets x slab by slab; its sums wait in scratch memory.
template <class V, class D, class B>
void MultiplyInt8(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed,
                  const View& y, std::byte* scratch) {
  constexpr int64_t kPanel = D::kVectors * V::kLanes;
  auto* weights = reinterpret_cast<Int8Weights<V>*>(scratch);
  auto* sums = reinterpret_cast<float*>(weights + D::kVectors);
  const auto* x = reinterpret_cast<const Int8Slab*>(packed);
  const int64_t slabs = Int8Slabs(w.cols), tokens = y.rows;
  for (int64_t group = begin; group < end; group += kInt8GroupRows) {
    const int64_t stop = Min(group + kInt8GroupRows, end);
    for (int64_t slab = 0; slab < slabs; ++slab) {
      const int64_t blocks = Min(kManyRowsSlab, w.cols - slab * kManyRowsSlab) / kInt8Block;
      for (int64_t r = group; r < stop; r += kPanel) {
        for (int v = 0; v < D::kVectors; ++v)
          ExpandInt8<V, D, B>(w, r + v * V::kLanes, end, slab, blocks, weights[v]);
        float* sum = sums + (r - group) * tokens;
        const int64_t rows = Min(kPanel, stop - r);
        const auto tile = [&]<int kCount>(int64_t t) G3N_LAMBDA {
          float* out = sum + t * kPanel;
          Int8Tile<V, D, B, kCount>(weights, x + slab * tokens + t, blocks, slab == 0, out);
          if (slab + 1 < slabs) return;
          // At once: the lines of y come from memory while the next tile is multiplied.
          for (int64_t i = 0; i < kCount; ++i, out += kPanel) {
            for (int64_t j = 0; j < rows; j += V::kLanes)
              V::StoreSome(y.row(t + i) + r + j, V::Load(out + j), rows - j);
          }
        };
        int64_t t = 0;
        for (; t + D::kRows <= tokens; t += D::kRows) tile.template operator()<D::kRows>(t);
        for (; t < tokens; ++t) tile.template operator()<1>(t);
      }
    }
  }
}

template <class V, DType... kTypes>
constexpr ManyRowsKernels MakeManyRowsInt8Of() {
  ManyRowsKernels k = {kInt8MostRows,
                       kInt8UnitRows,
                       Int8PackedBytes<V>,
                       Int8ScratchBytes<V>,
                       PackInt8Slab<V>,
                       nullptr,
                       {},
                       kInt8GroupRows};
  const auto add = [&]<DType kType>() {
    using B = Int8Block<kType>;
    if constexpr (B::kWide) {
      k.multiply[static_cast<int>(kType)] = MultiplyInt8<V, typename V::Wide, B>;
    } else {
      k.multiply[static_cast<int>(kType)] = MultiplyInt8<V, typename V::Narrow, B>;
    }
  };
  (add.template operator()<kTypes>(), ...);
  return k;
}

template <class V>
constexpr ManyRowsKernels MakeManyRowsInt8() {
  return MakeManyRowsInt8Of<V, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                            DType::kIQ4_XS>();
}

}  // namespace gemma3n::simd
