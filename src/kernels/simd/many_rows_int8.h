// ManyRowsKernels by int8 dot products. x is rounded to int8 in blocks of 32 with a scale each, so
// that a block's sum of products with W's integers is exact; it counts scale_w * scale_x (and the
// sum of x counts W's min), and blocks are summed in float32 in ascending order, whatever the cut.
//
// V: lanes = rows of W, for rounding and scaling (L of simd/packed.h) and for products:
//   kFlip               what bytes of x are exchanged with: 128 where they are multiplied unsigned
//   kCentre             0; or what a D's W has more than what it stands for, so that it is unsigned
//   kSides              rows of x side by side: 1, or 2 where an instruction multiplies two by two,
//                       and lanes are half as many rows of W for one row of x, then for the other;
//                       4 kSides columns of a row lie together, then those of the other
//   kStep               columns of a product
//   SumBlock            of 32 bytes of x, as they are stored
//   LoadBytes, StoreBytes, LookUp   a vector of bytes
//   Broadcast           kStep columns of x from a column of a block on, for each row of W
//   Transpose           eight words of each row, `stride` words apart, as eight vectors
//   Sides, Side         if kSides is 2: a factor for each lane, from each row's; one side's sums
//   Narrow, Wide        the products with small integers and with any bytes of W, each with
//     kRows, kVectors   of a tile in registers: rows or pairs of x (by whole blocks, by halves),
//                       vectors of W's rows
//     kPlanes           that a byte of W becomes: Split(q, plane) writes them, W Load(q, plane)
//     Acc, Zero, Minus, LoadStart, StoreStart   a block's sums; as many bytes as planes of W
//     Dot, Finish       acc + w x for a step; acc as floats
//     kBias, Biased     unless kBias is 0: acc as floats that are kBias greater, which costs no
//                       instruction; the multiplication by W's scale takes it back
//     kCentred          whether Biased takes kCentre times the sum of x back, from
//     Int8Slab::offsets kFirst, First     whether a block's sums begin with the first product
//     instead of Zero
// What a flipped x adds to the sums is taken back by what they start with: it depends on W alone.
#pragma once

#include "kernels/many_rows.h"
#include "kernels/simd/many_rows_expand.h"
#include "kernels/simd/many_rows_pack.h"
#include "kernels/simd/packed.h"

namespace gemma3n::simd {

inline constexpr int64_t kInt8MostRows = 512, kInt8GroupRows = 256;

template <class V>
inline constexpr int kInt8Vectors =
    V::Narrow::kVectors > V::Wide::kVectors ? V::Narrow::kVectors : V::Wide::kVectors;

template <class V>
int64_t Int8ScratchBytes(int64_t rows) {
  return static_cast<int64_t>(kInt8Vectors<V> * sizeof(Int8Weights<V>)) +
         Int8Units<V>(rows) * V::kSides * kInt8GroupRows * static_cast<int64_t>(sizeof(float));
}

// For each lane, what the rows of x have.
template <class V>
G3N_INLINE typename V::F Int8Sides(const float* p) {
  if constexpr (V::kSides == 1) {
    return V::Set1(*p);
  } else {
    return V::Sides(p);
  }
}

// kLanes sums of row t of x, from vectors at p.
template <class V>
G3N_INLINE typename V::F Int8Row(const float* p, int64_t t) {
  if constexpr (V::kSides == 1) {
    return V::Load(p);
  } else {
    return V::Side(p, t % V::kSides);
  }
}

template <class V, class D>
G3N_INLINE typename V::F Int8Biased(const typename D::Acc& acc, const Int8Slab<V>& x, int64_t b) {
  if constexpr (D::kCentred) {
    return D::Biased(acc, x.offsets[b]);
  } else {
    return D::Biased(acc);
  }
}

// sums[i] of kCount rows of x, or pairs: += (or =) a slab's products with kVectors vectors of W's
// rows.
template <class V, class D, class B, int kCount>
G3N_INLINE void Int8Tile(const Int8Weights<V>* w, const Int8Slab<V>* x, int64_t blocks, bool first,
                         float* sums) {
  using W = Int8Weights<V>;
  constexpr int kVectors = D::kVectors, kColumns = kInt8Block / B::kHalves;
  constexpr int64_t kStride = kVectors * V::kLanes;
  typename V::F total[kCount][kVectors];
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < kVectors; ++v)
      total[i][v] = first ? V::Zero() : V::Load(sums + i * kStride + v * V::kLanes);
  }
  for (int64_t b = 0; b < blocks; ++b) {
    typename V::F sum[kCount][kVectors];
    G3N_UNROLL
    for (int h = 0; h < B::kHalves; ++h) {
      const int64_t at = b * B::kHalves + h;
      typename D::Acc acc[kCount][kVectors];
      G3N_UNROLL
      for (int v = 0; v < kVectors && !D::kFirst; ++v) {
        auto start = D::Zero();
        if constexpr (V::kFlip != 0)
          start = D::LoadStart(w[v].starts + at * D::kPlanes * W::kStart);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i) acc[i][v] = start;
      }
      G3N_UNROLL
      for (int c = 0; c < kColumns; c += V::kStep) {
        G3N_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const auto weights = D::Load(w[v].q + (at * kColumns + c) * W::kRows, W::kPlane);
          G3N_UNROLL
          for (int i = 0; i < kCount; ++i) {
            const auto columns =
                V::Broadcast(x[i].q + b * kInt8Block * V::kSides, h * kColumns + c);
            if constexpr (D::kFirst) {
              acc[i][v] = c == 0 ? D::First(weights, columns) : D::Dot(acc[i][v], weights, columns);
            } else {
              acc[i][v] = D::Dot(acc[i][v], weights, columns);
            }
          }
        }
      }
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto scale = V::Load(w[v].scales + at * V::kLanes);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i) {
          if (h > 0) {
            sum[i][v] = V::Fma(D::Finish(acc[i][v]), scale, sum[i][v]);
          } else if constexpr (D::kBias == 0) {
            sum[i][v] = V::Mul(D::Finish(acc[i][v]), scale);
          } else {
            const auto bias = V::Load(w[v].biases + b * V::kLanes);
            sum[i][v] = V::Fma(Int8Biased<V, D>(acc[i][v], x[i], b), scale, bias);
          }
          if (h + 1 == B::kHalves)
            total[i][v] = V::Fma(sum[i][v], Int8Sides<V>(x[i].scales + b * V::kSides), total[i][v]);
        }
      }
    }
    if constexpr (B::kHasMin) {
      G3N_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto min = V::Load(w[v].mins + b * V::kLanes);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i)
          total[i][v] = V::Fma(min, Int8Sides<V>(x[i].sums + b * V::kSides), total[i][v]);
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
  constexpr int64_t kSides = V::kSides, kTile = D::kVectors * V::kLanes, kPanel = kTile / kSides;
  auto* weights = reinterpret_cast<Int8Weights<V>*>(scratch);
  auto* sums = reinterpret_cast<float*>(weights + D::kVectors);
  const auto* x = reinterpret_cast<const Int8Slab<V>*>(packed);
  const int64_t slabs = Int8Slabs(w.cols), units = Int8Units<V>(y.rows);
  for (int64_t group = begin; group < end; group += kInt8GroupRows) {
    const int64_t stop = Min(group + kInt8GroupRows, end);
    for (int64_t slab = 0; slab < slabs; ++slab) {
      const int64_t blocks = Min(kManyRowsSlab, w.cols - slab * kManyRowsSlab) / kInt8Block;
      for (int64_t r = group; r < stop; r += kPanel) {
        for (int v = 0; v < D::kVectors; ++v)
          ExpandInt8<V, D, B>(w, r + v * Int8Weights<V>::kRows, end, slab, blocks, weights[v]);
        float* sum = sums + (r - group) * units * kSides;
        const int64_t rows = Min(kPanel, stop - r);
        // What is expanded next: a row of it is asked for with each tile.
        const bool turn = r + kPanel >= stop, last = turn && slab + 1 == slabs;
        const int64_t next = last ? stop : turn ? group : r + kPanel;
        const int64_t next_slab = last ? 0 : slab + turn;
        const auto fetch = [&](int64_t i) G3N_LAMBDA {
          if (i >= kPanel) return;
          const std::byte* p = w.row(Min(next + i, end - 1)) + next_slab * kInt8Stored<B>;
          for (int64_t at = 0; at < kInt8Stored<B>; at += 64) __builtin_prefetch(p + at, 0, 2);
        };
        const auto tile = [&]<int kCount>(int64_t u) G3N_LAMBDA {
          float* out = sum + u * kTile;
          Int8Tile<V, D, B, kCount>(weights, x + slab * units + u, blocks, slab == 0, out);
          if (slab + 1 < slabs) return;
          // At once: the lines of y come from memory while the next tile is multiplied.
          for (int64_t t = u * kSides; t < Min((u + kCount) * kSides, y.rows); ++t) {
            const float* row = sum + t / kSides * kTile;
            for (int64_t j = 0; j < rows; j += V::kLanes)
              V::StoreSome(y.row(t) + r + j, Int8Row<V>(row + j * kSides, t), rows - j);
          }
        };
        int64_t u = 0;
        constexpr int64_t kRows = D::kRows[B::kHalves - 1];
        for (; u + kRows <= units; u += kRows) {
          fetch(u / kRows);
          tile.template operator()<kRows>(u);
        }
        for (; u < units; ++u) tile.template operator()<1>(u);
      }
    }
  }
}

// S: a vocabulary that has what Gelu wants; void: x is only taken as it is.
template <class V, class S, DType... kTypes>
constexpr ManyRowsKernels MakeManyRowsInt8Of() {
  ManyRowsKernels k = {kInt8MostRows,
                       kInt8UnitRows,
                       Int8PackedBytes<V>,
                       Int8ScratchBytes<V>,
                       PackInt8Slab<V>,
                       nullptr,
                       {},
                       kInt8GroupRows,
                       nullptr};
  if constexpr (!__is_same(S, void)) k.pack_gated = PackInt8GatedSlab<V, S>;
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

template <class V, class S = void>
constexpr ManyRowsKernels MakeManyRowsInt8(const ManyRowsKernels* sooner = nullptr) {
  ManyRowsKernels k = MakeManyRowsInt8Of<V, S, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
                                         DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K,
                                         DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS>();
  k.sooner = sooner;
  return k;
}

}  // namespace gemma3n::simd
