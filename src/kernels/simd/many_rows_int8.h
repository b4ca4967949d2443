// ManyRowsKernels by int8 dot products, for types whose blocks are 32 small integers and a scale.
// x is rounded to int8 in blocks of 32 with a scale each, as the weights are, so that a block's sum
// of products is exact; it counts scale_w * scale_x, and blocks are summed in float32 in ascending
// order, whatever the cut.
//
// V: lanes = rows of W, for rounding and scaling (L of simd/packed.h) and for products:
//   kRows, kVectors     of a tile in registers: rows of x, vectors of W's rows
//   Nibbles, Bytes      the products with a Q4_0 and with a Q8_0 block, each with
//     kOffset           what is added to a weight to make it unsigned; taken back by `start`
//     Start, Dot, Finish   a block's sums: acc, acc + w x for four columns, as floats
#pragma once

#include <cstring>

#include "kernels/blocks.h"
#include "kernels/many_rows.h"
#include "kernels/simd/packed.h"

namespace gemma3n::simd {

inline constexpr int64_t kInt8Block = 32, kInt8SlabBlocks = kManyRowsSlab / kInt8Block;
inline constexpr int64_t kInt8MostRows = 512, kInt8GroupRows = 256, kInt8UnitRows = 16;

// A slab of a row of x.
struct Int8Slab {
  int8_t q[kManyRowsSlab];
  float scales[kInt8SlabBlocks];
  int32_t starts[2][kInt8SlabBlocks];  // -sum q, times the offset of nibbles and of bytes
};

// A slab of V::kLanes rows of W: four columns of each row, then the next four.
template <class V>
struct Int8Weights {
  alignas(64) uint8_t q[kManyRowsSlab * V::kLanes];
  alignas(64) float scales[kInt8SlabBlocks * V::kLanes];
};

static G3N_INLINE int64_t Int8Slabs(int64_t cols) {
  return (cols + kManyRowsSlab - 1) / kManyRowsSlab;
}

template <class V>  // a template, so that every file has its own
int64_t Int8PackedBytes(int64_t rows, int64_t cols) {
  return Int8Slabs(cols) * rows * static_cast<int64_t>(sizeof(Int8Slab));
}

template <class V>
int64_t Int8ScratchBytes(int64_t rows) {
  return static_cast<int64_t>(V::kVectors * sizeof(Int8Weights<V>)) +
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
      int8_t* q = out[t].q + b * kInt8Block;
      for (int64_t i = 0; i < kInt8Block; i += V::kLanes) {
        V::StoreInt8(reinterpret_cast<std::byte*>(q + i),
                     scale > 0 ? V::Mul(V::Load(src + i), inverse) : V::Zero(), 0);
      }
      int32_t sum = 0;
      for (int64_t i = 0; i < kInt8Block; ++i) sum += q[i];
      out[t].scales[b] = scale;
      out[t].starts[0][b] = -V::Nibbles::kOffset * sum;
      out[t].starts[1][b] = -V::Bytes::kOffset * sum;
    }
  }
}

// A block's 32 unsigned (or, without an offset, signed) integers, eight in each word.
template <class V>
G3N_INLINE void Unpack(const BlockQ4_0& block, uint64_t (&q)[4]) {
  constexpr uint64_t kLow = 0x0f0f0f0f0f0f0f0f;
  for (int i = 0; i < 2; ++i) {
    uint64_t nibbles;
    std::memcpy(&nibbles, block.qs + 8 * i, 8);
    q[i] = nibbles & kLow;
    q[2 + i] = nibbles >> 4 & kLow;
  }
}
template <class V>
G3N_INLINE void Unpack(const BlockQ8_0& block, uint64_t (&q)[4]) {
  static_assert(V::Bytes::kOffset == 0 || V::Bytes::kOffset == 128);
  std::memcpy(q, block.qs, 32);
  for (uint64_t& word : q) word ^= V::Bytes::kOffset * uint64_t{0x0101010101010101};
}

// Rows [row, row + kLanes) of W, as far as `end`; the others are zero.
template <class V, class Block>
G3N_INLINE void ExpandInt8(const Matrix& w, int64_t row, int64_t end, int64_t slab, int64_t blocks,
                           Int8Weights<V>& out) {
  for (int64_t r = 0; r < V::kLanes; ++r) {
    const bool missing = row + r >= end;
    const auto* src =
        reinterpret_cast<const Block*>(w.row(Min(row + r, end - 1))) + slab * kInt8SlabBlocks;
    uint8_t* dst = out.q + r * 4;
    for (int64_t b = 0; b < blocks; ++b) {
      uint64_t q[4];
      Unpack<V>(src[b], q);
      out.scales[b * V::kLanes + r] = missing ? 0.0f : HalfToFloat(LoadU16(src[b].d));
      for (int i = 0; i < 8; ++i, dst += 4 * V::kLanes) {
        const auto four = static_cast<uint32_t>(q[i / 2] >> 32 * (i % 2));
        std::memcpy(dst, &four, 4);
      }
    }
  }
}

// sums[i] of kCount rows of x: += (or =) a slab's products with kVectors vectors of W's rows.
template <class V, class Type, int kCount>
G3N_INLINE void Int8Tile(const Int8Weights<V>* w, const Int8Slab* x, int starts, int64_t blocks,
                         bool first, float* sums) {
  constexpr int64_t kStride = V::kVectors * V::kLanes;
  typename V::F total[kCount][V::kVectors];
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < V::kVectors; ++v)
      total[i][v] = first ? V::Zero() : V::Load(sums + i * kStride + v * V::kLanes);
  }
  for (int64_t b = 0; b < blocks; ++b) {
    typename Type::Acc acc[kCount][V::kVectors];
    G3N_UNROLL
    for (int i = 0; i < kCount; ++i) {
      G3N_UNROLL
      for (int v = 0; v < V::kVectors; ++v) acc[i][v] = Type::Start(x[i].starts[starts][b]);
    }
    G3N_UNROLL
    for (int g = 0; g < 8; ++g) {
      G3N_UNROLL
      for (int v = 0; v < V::kVectors; ++v) {
        const auto weights = V::LoadBytes(w[v].q + (b * 8 + g) * 4 * V::kLanes);
        G3N_UNROLL
        for (int i = 0; i < kCount; ++i)
          acc[i][v] = Type::Dot(acc[i][v], weights, V::Broadcast4(x[i].q + b * 32 + g * 4));
      }
    }
    G3N_UNROLL
    for (int v = 0; v < V::kVectors; ++v) {
      const auto scale = V::Load(w[v].scales + b * V::kLanes);
      G3N_UNROLL
      for (int i = 0; i < kCount; ++i) {
        total[i][v] = V::Fma(Type::Finish(acc[i][v], x[i].starts[starts][b]),
                             V::Mul(scale, V::Set1(x[i].scales[b])), total[i][v]);
      }
    }
  }
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < V::kVectors; ++v) V::Store(sums + i * kStride + v * V::kLanes, total[i][v]);
  }
}

// A group of W's rows meets x slab by slab; its sums wait in scratch memory.
template <class V, class Type, class Block>
void MultiplyInt8(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed,
                  const View& y, std::byte* scratch) {
  constexpr int64_t kPanel = V::kVectors * V::kLanes;
  auto* weights = reinterpret_cast<Int8Weights<V>*>(scratch);
  auto* sums = reinterpret_cast<float*>(weights + V::kVectors);
  const auto* x = reinterpret_cast<const Int8Slab*>(packed);
  const int64_t slabs = Int8Slabs(w.cols), tokens = y.rows;
  for (int64_t group = begin; group < end; group += kInt8GroupRows) {
    const int64_t stop = Min(group + kInt8GroupRows, end);
    for (int64_t slab = 0; slab < slabs; ++slab) {
      const int64_t blocks = Min(kManyRowsSlab, w.cols - slab * kManyRowsSlab) / kInt8Block;
      for (int64_t r = group; r < stop; r += kPanel) {
        for (int v = 0; v < V::kVectors; ++v)
          ExpandInt8<V, Block>(w, r + v * V::kLanes, end, slab, blocks, weights[v]);
        float* sum = sums + (r - group) * tokens;
        const auto tile = [&]<int kCount>(int64_t t) G3N_LAMBDA {
          Int8Tile<V, Type, kCount>(weights, x + slab * tokens + t, Type::kStarts, blocks,
                                    slab == 0, sum + t * kPanel);
        };
        int64_t t = 0;
        for (; t + V::kRows <= tokens; t += V::kRows) tile.template operator()<V::kRows>(t);
        for (; t < tokens; ++t) tile.template operator()<1>(t);
        if (slab + 1 < slabs) continue;
        const int64_t rows = Min(kPanel, stop - r);
        for (t = 0; t < tokens; ++t) {
          for (int64_t i = 0; i < rows; i += V::kLanes)
            V::StoreSome(y.row(t) + r + i, V::Load(sum + t * kPanel + i), rows - i);
        }
      }
    }
  }
}

template <class V>
constexpr ManyRowsKernels MakeManyRowsInt8() {
  ManyRowsKernels k = {kInt8MostRows,
                       kInt8UnitRows,
                       Int8PackedBytes<V>,
                       Int8ScratchBytes<V>,
                       PackInt8Slab<V>,
                       nullptr,
                       {},
                       kInt8GroupRows};
  k.multiply[static_cast<int>(DType::kQ4_0)] = MultiplyInt8<V, typename V::Nibbles, BlockQ4_0>;
  k.multiply[static_cast<int>(DType::kQ8_0)] = MultiplyInt8<V, typename V::Bytes, BlockQ8_0>;
  return k;
}

}  // namespace gemma3n::simd
