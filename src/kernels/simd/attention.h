// softmax(q K^T) V for the query heads of one position. Each key and value row is read once for up
// to kHeads heads: scores in the register tiles of linear.h, then values in tiles of heads x
// columns over a block of keys.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/linear.h"
#include "kernels/simd/vector_ops.h"

namespace gemma3n::simd {

inline constexpr int kHeads = 4;  // at a time; Gemma 3n has four query heads for each of keys

// scores[h][j] = q[h] . k[j] for kCount heads; rows of scores are `keys` floats apart.
template <class S, int kCount>
void AttentionScores(const float* q, int64_t q_stride, const float* k, int64_t kv_stride,
                     int64_t count, int64_t head_dim, float* scores, int64_t keys) {
  if constexpr (kCount > S::kTileTokens) {  // too many for the registers: in two parts, the keys
                                            // still in the cache
    constexpr int kFirst = kCount / 2;
    constexpr int64_t kBlock = 16;
    for (int64_t j = 0; j < count; j += kBlock) {
      const int64_t n = Min(kBlock, count - j);
      AttentionScores<S, kFirst>(q, q_stride, k + j * kv_stride, kv_stride, n, head_dim, scores + j,
                                 keys);
      AttentionScores<S, kCount - kFirst>(q + kFirst * q_stride, q_stride, k + j * kv_stride,
                                          kv_stride, n, head_dim, scores + kFirst * keys + j, keys);
    }
  } else {
    // Keys side by side come from the four quarters of the run: long runs through memory, as in
    // LinearFew.
    const int64_t stripe = (count + kTileRows - 1) / kTileRows;
    for (int64_t j = 0; j < stripe; ++j) {
      int64_t key[kTileRows];
      const float* rows[kTileRows];
      for (int i = 0; i < kTileRows; ++i) {
        key[i] = Min(j + i * stripe, count - 1);
        rows[i] = k + key[i] * kv_stride;
      }
      typename S::F4 sums[kCount];
      Tile<S, kCount>(rows, q, q_stride, head_dim, sums);
      for (int h = 0; h < kCount; ++h) {
        float part[kTileRows];
        S::Store4(part, sums[h]);
        for (int i = 0; i < kTileRows; ++i) scores[h * keys + key[i]] = part[i];
      }
    }
  }
}

// out[h][0 .. width) += sum_j p[h][j] v[j][0 .. width) for kCount heads, width <= kVectors vectors.
// Key after key, so that the result has the same bits however the keys are cut into blocks and
// runs.
template <class S, int kCount, int kVectors>
G3N_INLINE void AttentionColumns(const float* p, int64_t keys, const float* v, int64_t kv_stride,
                                 int64_t count, int64_t width, float* out, int64_t out_stride) {
  using F = typename S::F;
  F acc[kCount][kVectors];
  const bool whole = width == kVectors * S::kLanes;
  const auto part = [&](int c) G3N_LAMBDA { return Min(S::kLanes, width - c * S::kLanes); };
  G3N_UNROLL
  for (int h = 0; h < kCount; ++h) {
    G3N_UNROLL
    for (int c = 0; c < kVectors; ++c)
      acc[h][c] = LoadPart<S>(out + h * out_stride + c * S::kLanes, part(c));
  }
  for (int64_t j = 0; j < count; ++j, v += kv_stride) {
    F value[kVectors];
    G3N_UNROLL
    for (int c = 0; c < kVectors; ++c) {
      value[c] = whole ? S::Load(v + c * S::kLanes) : S::LoadN(v + c * S::kLanes, part(c));
    }
    G3N_UNROLL
    for (int h = 0; h < kCount; ++h) {
      const F weight = S::Set1(p[h * keys + j]);
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

// out[h] += sum_j p[h][j] v[j] over `count` keys.
template <class S, int kCount>
void AttentionValues(const float* p, int64_t keys, const float* v, int64_t kv_stride, int64_t count,
                     int64_t head_dim, float* out, int64_t out_stride) {
  constexpr int64_t kBlock = 32;  // value rows whose columns are visited together
  constexpr int64_t kWide = S::kColumns * S::kLanes;
  for (int64_t j = 0; j < count; j += kBlock) {
    const int64_t n = Min(kBlock, count - j);
    const float* block = v + j * kv_stride;
    int64_t c = 0;
    for (; c + kWide <= head_dim; c += kWide) {
      AttentionColumns<S, kCount, S::kColumns>(p + j, keys, block + c, kv_stride, n, kWide, out + c,
                                               out_stride);
    }
    for (; c < head_dim; c += S::kLanes) {
      AttentionColumns<S, kCount, 1>(p + j, keys, block + c, kv_stride, n,
                                     Min(S::kLanes, head_dim - c), out + c, out_stride);
    }
  }
}

template <class S, int kCount>
void AttentionHeads(const AttentionArgs& a, int64_t first) {
  const int64_t keys = a.count[0] + a.count[1];
  const float* q = a.q + first * a.q_stride;
  float* scores = a.scores + first * keys;
  float* out = a.out + first * a.out_stride;
  int64_t done = 0;
  for (int run = 0; run < 2; ++run) {
    AttentionScores<S, kCount>(q, a.q_stride, a.k[run], a.kv_stride, a.count[run], a.head_dim,
                               scores + done, keys);
    done += a.count[run];
  }
  for (int h = 0; h < kCount; ++h) {
    Softmax<S>(scores + h * keys, keys);
    for (int64_t i = 0; i < a.head_dim; ++i) out[h * a.out_stride + i] = 0;
  }
  done = 0;
  for (int run = 0; run < 2; ++run) {
    AttentionValues<S, kCount>(scores + done, keys, a.v[run], a.kv_stride, a.count[run], a.head_dim,
                               out, a.out_stride);
    done += a.count[run];
  }
}

template <class S>
void Attention(const AttentionArgs& args) {
  int64_t h = 0;
  for (; h + kHeads <= args.heads; h += kHeads) AttentionHeads<S, kHeads>(args, h);
  for (; h + 2 <= args.heads; h += 2) AttentionHeads<S, 2>(args, h);
  for (; h < args.heads; ++h) AttentionHeads<S, 1>(args, h);
}

}  // namespace gemma3n::simd
