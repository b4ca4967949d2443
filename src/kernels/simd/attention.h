// The pieces of attention (attention_kernels.h). Each key and value row is read once for up to
// kHeads heads: scores in the register tiles of linear.h, then values in tiles of heads x columns
// over a stretch of keys.
#pragma once

#include <type_traits>

#include "kernels/attention_kernels.h"
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/simd/linear.h"
#include "kernels/simd/vector_ops.h"

namespace gemma3n::simd {

inline constexpr int64_t kValueStretch = 32;  // keys whose values stay in the first-level cache
inline constexpr int kHeads = 4;  // at a time; Gemma 3n has four query heads for each of keys

// scores[h][j] = q[h] . k[j] for kCount heads; rows of scores are `stride` floats apart.
template <class S, int kCount>
G3N_INLINE void ScoresOf(const float* q, int64_t q_stride, const float* k, int64_t keys,
                         int64_t head_dim, float* scores, int64_t stride) {
  if constexpr (kCount > S::kTileTokens) {  // too many for the registers: in two parts
    constexpr int kFirst = kCount / 2;
    ScoresOf<S, kFirst>(q, q_stride, k, keys, head_dim, scores, stride);
    ScoresOf<S, kCount - kFirst>(q + kFirst * q_stride, q_stride, k, keys, head_dim,
                                 scores + kFirst * stride, stride);
  } else {
    for (int64_t j = 0; j < keys; j += kTileRows) {
      const float* rows[kTileRows];
      for (int i = 0; i < kTileRows; ++i) rows[i] = k + Min(j + i, keys - 1) * head_dim;
      typename S::F4 sums[kCount];
      Tile<S, kCount>(rows, q, q_stride, head_dim, sums);
      for (int h = 0; h < kCount; ++h) {
        StoreSums<S>(scores + h * stride + j, sums[h], keys - j, false);
      }
    }
  }
}

// The same on halves from memory. A stream of them alone comes too slowly, so the keys that are
// side by side come from the four quarters.
template <class S, int kCount>
G3N_INLINE void ScoresOf(const float* q, int64_t q_stride, const uint16_t* k, int64_t keys,
                         int64_t head_dim, float* scores, int64_t stride) {
  constexpr int kAhead = 1024;
  const int64_t quarter = keys / kTileRows;
  const auto tile = [&](int64_t j, int64_t apart, int64_t count) G3N_LAMBDA {
    const uint16_t* rows[kTileRows];
    for (int i = 0; i < kTileRows; ++i) rows[i] = k + Min(j + i * apart, keys - 1) * head_dim;
    const auto store = [&](int h, typename S::F4 sums) G3N_LAMBDA {
      float part[kTileRows];
      S::Store4(part, sums);
      for (int64_t i = 0; i < count; ++i) scores[h * stride + j + i * apart] = part[i];
    };
    constexpr int kMost = kCount > S::kTileTokens ? kCount / 2 : kCount;
    static_assert(kMost <= S::kTileTokens);
    typename S::F4 sums[kMost];
    for (int first = 0; first < kCount; first += kMost) {
      Tile<S, kMost, kAhead>(rows, q + first * q_stride, q_stride, head_dim, sums);
      for (int h = 0; h < kMost; ++h) store(first + h, sums[h]);
    }
  };
  for (int64_t j = 0; j < quarter; ++j) tile(j, quarter, kTileRows);
  if (const int64_t rest = keys % kTileRows; rest > 0) tile(keys - rest, 1, rest);
}

// out[h][0 .. width) += sum_j p[h][j] v[j][0 .. width) for kCount heads, width <= kVectors vectors.
// Key after key, so that the result has the same bits however the keys are cut into blocks and
// runs. Halves are fetched a stretch of keys ahead.
template <class S, int kCount, int kVectors, class E>
G3N_INLINE void Columns(const float* p, int64_t stride, const E* v, int64_t v_stride, int64_t keys,
                        int64_t width, float* out, int64_t out_stride) {
  using F = typename S::F;
  constexpr bool kHalves = sizeof(E) == 2;
  F acc[kCount][kVectors];
  const bool whole = width == kVectors * S::kLanes;
  const auto part = [&](int c) G3N_LAMBDA { return Min(S::kLanes, width - c * S::kLanes); };
  G3N_UNROLL
  for (int h = 0; h < kCount; ++h) {
    G3N_UNROLL
    for (int c = 0; c < kVectors; ++c)
      acc[h][c] = LoadPart<S>(out + h * out_stride + c * S::kLanes, part(c));
  }
  for (int64_t j = 0; j < keys; ++j, v += v_stride) {
    F value[kVectors];
    G3N_UNROLL
    for (int c = 0; c < kVectors; ++c) {
      if constexpr (kHalves) {
        value[c] = S::LoadHalf(v + c * S::kLanes);
      } else {
        value[c] = whole ? S::Load(v + c * S::kLanes) : S::LoadN(v + c * S::kLanes, part(c));
      }
    }
    if constexpr (kHalves) {
      for (int c = 0; c < kVectors * S::kLanes; c += 32)
        __builtin_prefetch(v + kValueStretch * v_stride + c);
    }
    G3N_UNROLL
    for (int h = 0; h < kCount; ++h) {
      const F weight = S::Set1(p[h * stride + j]);
      G3N_UNROLL
      for (int c = 0; c < kVectors; ++c) acc[h][c] = S::Fma(weight, value[c], acc[h][c]);
    }
  }
  G3N_UNROLL
  for (int h = 0; h < kCount; ++h) {
    G3N_UNROLL
    for (int c = 0; c < kVectors; ++c)
      StorePart<S>(out + h * out_stride + c * S::kLanes, acc[h][c], part(c));
  }
}

// out[h] += sum_j p[h][j] v[j]
template <class S, int kCount, class E>
G3N_INLINE void ValuesOf(const float* p, int64_t stride, const E* v, int64_t keys, int64_t head_dim,
                         float* out, int64_t out_stride) {
  constexpr int64_t kWide = S::kColumns * S::kLanes;
  int64_t c = 0;
  for (; c + kWide <= head_dim; c += kWide) {
    Columns<S, kCount, S::kColumns>(p, stride, v + c, head_dim, keys, kWide, out + c, out_stride);
  }
  for (; c < head_dim; c += S::kLanes) {
    Columns<S, kCount, 1>(p, stride, v + c, head_dim, keys, Min(S::kLanes, head_dim - c), out + c,
                          out_stride);
  }
}

// Calls run with each group of up to kHeads heads, the count a constant.
template <class Run>
G3N_INLINE void ForHeads(int64_t heads, const Run& run) {
  int64_t h = 0;
  for (; h + kHeads <= heads; h += kHeads) run(std::integral_constant<int, kHeads>(), h);
  for (; h + 2 <= heads; h += 2) run(std::integral_constant<int, 2>(), h);
  for (; h < heads; ++h) run(std::integral_constant<int, 1>(), h);
}

template <class S, class E>
void AttentionScores(const float* q, int64_t q_stride, int64_t heads, const E* k, int64_t keys,
                     int64_t head_dim, float* scores, int64_t stride) {
  ForHeads(heads, [&](auto count, int64_t h) G3N_LAMBDA {
    ScoresOf<S, count()>(q + h * q_stride, q_stride, k, keys, head_dim, scores + h * stride,
                         stride);
  });
}

template <class S, class E>
void AttentionValues(const float* p, int64_t stride, int64_t heads, const E* v, int64_t keys,
                     int64_t head_dim, float* out, int64_t out_stride) {
  for (int64_t j = 0, n; j < keys; j += n) {
    n = Min(kValueStretch, keys - j);
    ForHeads(heads, [&](auto count, int64_t h) G3N_LAMBDA {
      ValuesOf<S, count()>(p + h * stride + j, stride, v + j * head_dim, n, head_dim,
                           out + h * out_stride, out_stride);
    });
  }
}

template <class S>
float Exponentials(float* x, int64_t n, float* max) {
  auto top = S::Set1(-__FLT_MAX__);
  ForVectors<S>(n, [&](int64_t i, int64_t count) G3N_LAMBDA {
    if (count == S::kLanes) {
      top = S::Max(S::Load(x + i), top);
    } else {
      for (int64_t j = i; j < n; ++j) top = S::Max(S::Set1(x[j]), top);
    }
  });
  *max = S::ReduceMax(top);
  const auto shift = S::Set1(*max);
  auto sum = S::WideZero();
  double total = 0;
  ForVectors<S>(n, [&](int64_t i, int64_t count) G3N_LAMBDA {
    const auto e = Exp<S>(S::Sub(LoadPart<S>(x + i, count), shift));
    StorePart<S>(x + i, e, count);
    if (count == S::kLanes) {
      sum = S::WideAdd(sum, S::Widen(e));
    } else {
      for (int64_t j = i; j < n; ++j) total += static_cast<double>(x[j]);
    }
  });
  return static_cast<float>(S::WideReduce(sum) + total);
}

template <class S>
void Blend(float a, float* y, float b, const float* x, int64_t n) {
  const auto old = S::Set1(a), fresh = S::Set1(b);
  Map<S>(x, y, y, n,
         [&](auto v, auto sum) G3N_LAMBDA { return S::Fma(old, sum, S::Mul(fresh, v)); });
}

template <class S>
void StoreF16(const float* x, std::byte* row, int64_t n) {
  ForVectors<S>(n, [&](int64_t i, int64_t count) G3N_LAMBDA {
    if (count == S::kLanes) return S::StoreHalf(row + 2 * i, S::Load(x + i));
    alignas(64) std::byte last[2 * S::kLanes];
    S::StoreHalf(last, S::LoadN(x + i, count));
    __builtin_memcpy(row + 2 * i, last, static_cast<size_t>(2 * count));
  });
}

// The levels are those nearest to x after the scale's own rounding. A block with a value that is
// not finite becomes NaN.
template <class S>
void StoreQ8_0(const float* x, std::byte* row, int64_t n) {
  auto* block = reinterpret_cast<BlockQ8_0*>(row);
  for (int64_t b = 0; b < n; b += 32, x += 32, ++block) {
    auto max = S::Zero(), odd = S::Zero();
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) {
      max = S::Max(S::Abs(S::Load(x + i)), max);
      odd = S::Fma(S::Load(x + i), S::Zero(), odd);
    }
    const uint16_t scale = FloatToHalf(S::ReduceMax(max) / 127.0f + S::ReduceAdd(odd));
    const float d = HalfToFloat(scale);
    __builtin_memcpy(block->d, &scale, sizeof(scale));
    const auto inverse = S::Set1(d > 0 ? 1.0f / d : 0.0f);
    alignas(64) float levels[32];
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) {
      const auto level = S::Min(S::Round(S::Mul(S::Load(x + i), inverse)), S::Set1(127.0f));
      S::Store(levels + i, S::Max(level, S::Set1(-127.0f)));
    }
    for (int i = 0; i < 32; ++i) block->qs[i] = static_cast<int8_t>(static_cast<int>(levels[i]));
  }
}

template <class S>
constexpr AttentionKernels MakeAttention() {
  AttentionKernels kernels = {};
  kernels.scores = AttentionScores<S, float>;
  kernels.values = AttentionValues<S, float>;
  kernels.scores_f16 = AttentionScores<S, uint16_t>;
  kernels.values_f16 = AttentionValues<S, uint16_t>;
  kernels.exponentials = Exponentials<S>;
  kernels.blend = Blend<S>;
  kernels.store_f16 = StoreF16<S>;
  kernels.store_q8_0 = StoreQ8_0<S>;
  return kernels;
}

}  // namespace gemma3n::simd
