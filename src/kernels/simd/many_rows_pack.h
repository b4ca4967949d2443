// Rows of x as the int8 products of simd/many_rows_int8.h want them; V is described there.
#pragma once

#include "kernels/half.h"
#include "kernels/many_rows.h"
#include "kernels/simd/many_rows_expand.h"
#include "kernels/simd/math.h"
#include "kernels/simd/packed.h"

namespace gemma3n::simd {

inline constexpr int64_t kInt8UnitRows = 16;

// kBias less kCentre times the sum of a block's integers.
template <class V, bool = V::kCentre != 0>
struct Int8Offsets {
  int32_t offsets[kInt8SlabBlocks * V::kSides];
};
template <class V>
struct Int8Offsets<V, false> {};

// A slab of kSides rows of x.
template <class V>
struct Int8Slab : Int8Offsets<V> {
  uint8_t q[kManyRowsSlab * V::kSides];
  float scales[kInt8SlabBlocks * V::kSides];
  float sums[kInt8SlabBlocks * V::kSides];  // of a block as it was rounded
};

static G3N_INLINE int64_t Int8Slabs(int64_t cols) {
  return (cols + kManyRowsSlab - 1) / kManyRowsSlab;
}

// Rows of x, or pairs of them.
template <class V>
G3N_INLINE int64_t Int8Units(int64_t rows) {
  return (rows + V::kSides - 1) / V::kSides;
}

template <class V>  // a template, so that every file has its own
int64_t Int8PackedBytes(int64_t rows, int64_t cols) {
  return Int8Slabs(cols) * Int8Units<V>(rows) * static_cast<int64_t>(sizeof(Int8Slab<V>));
}

// 32 values of x as bytes of a scale, those of kSides rows in turns; sum: of the values as they
// were rounded. Returns that of the integers.
template <class V>
G3N_INLINE int32_t RoundInt8Block(const float* src, uint8_t* q, float* scale, float* sum) {
  auto bits = V::ZeroBits();
  for (int64_t i = 0; i < kInt8Block; i += V::kLanes)
    bits = V::MaxMagnitude(bits, V::Load(src + i));
  // The magnitudes' bits are ordered as the magnitudes are, infinity and then NaN above all.
  const uint32_t largest = V::ReduceMax(bits);
  *scale = largest >= 0x7f800000  ? BitsToFloat(0x7fc00000)
           : largest < 0x0d800000 ? 0.0f  // 2^-100
                                  : BitsToFloat(largest) / 127.0f;
  const auto inverse = V::Set1(*scale > 0 ? 1.0f / *scale : 0.0f);
  constexpr int64_t kTogether = 4 * V::kSides;
  for (int64_t i = 0; i < kInt8Block; i += V::kLanes) {
    const int64_t at = i / kTogether * kTogether * V::kSides + i % kTogether;
    V::StoreInt8(reinterpret_cast<std::byte*>(q + at),
                 *scale > 0 ? V::Mul(V::Load(src + i), inverse) : V::Zero(), V::kFlip);
  }
  const int32_t integers = V::SumBlock(q);
  *sum = *scale * static_cast<float>(integers);
  return integers;
}

// values(t, column): 32 values of row t of x.
template <class V, class Values>
G3N_INLINE void PackInt8(int64_t rows, int64_t x_cols, int64_t row, int64_t slab, std::byte* packed,
                         const Values& values) {
  const int64_t first = slab * kManyRowsSlab, cols = Min(kManyRowsSlab, x_cols - first);
  constexpr int64_t kSides = V::kSides, kTogether = 4 * kSides;
  const int64_t units = Int8Units<V>(rows);
  auto* slabs = reinterpret_cast<Int8Slab<V>*>(packed) + slab * units;
  for (int64_t t = row; t < Min(row + kInt8UnitRows, units * kSides); ++t) {
    Int8Slab<V>& out = slabs[t / kSides];
    const int64_t from = Min(t, rows - 1);  // a missing side repeats the last row
    for (int64_t b = 0; b * kInt8Block < cols; ++b) {
      const int64_t i = b * kSides + t % kSides;
      [[maybe_unused]] const int32_t sum = RoundInt8Block<V>(
          values(from, first + b * kInt8Block),
          out.q + b * kInt8Block * kSides + t % kSides * kTogether, &out.scales[i], &out.sums[i]);
      if constexpr (V::kCentre != 0) out.offsets[i] = V::kBiasBits - V::kCentre * sum;
    }
  }
}

// A block's values, and those soon to come asked for: rows are far apart.
static G3N_INLINE const float* Int8Values(const ConstView& x, int64_t t, int64_t column) {
  constexpr int64_t kAhead = 128, kLine = 16;
  const float* p = x.row(t) + column;
  for (int64_t i = 0; i < kInt8Block; i += kLine) __builtin_prefetch(p + kAhead + i);
  return p;
}

template <class V>
void PackInt8Slab(const ConstView& x, int64_t row, int64_t slab, std::byte* packed) {
  PackInt8<V>(x.rows, x.cols, row, slab, packed,
              [&](int64_t t, int64_t column) G3N_LAMBDA { return Int8Values(x, t, column); });
}

// Of gelu_tanh(gate) * up. S: the vocabulary of simd/math.h.
template <class V, class S>
void PackInt8GatedSlab(const ConstView& gate, const ConstView& up, int64_t row, int64_t slab,
                       std::byte* packed) {
  alignas(64) float product[kInt8Block];
  PackInt8<V>(gate.rows, gate.cols, row, slab, packed, [&](int64_t t, int64_t column) G3N_LAMBDA {
    const float *g = Int8Values(gate, t, column), *u = Int8Values(up, t, column);
    G3N_UNROLL
    for (int64_t i = 0; i < kInt8Block; i += S::kLanes)
      S::Store(product + i, S::Mul(Gelu<S>(S::Load(g + i)), S::Load(u + i)));
    return static_cast<const float*>(product);
  });
}

}  // namespace gemma3n::simd
