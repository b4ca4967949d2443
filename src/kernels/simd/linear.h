// y = W x in float32. Two ways, one arithmetic: every y[t, r] is a sum over slabs of kSlab columns,
// each slab summed in one vector accumulator (lane = column modulo kLanes) and then across its
// lanes. So a token's result has the same bits alone, in a batch, or in a prompt of any length,
// whichever way computed it.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/common.h"
#include "kernels/simd/decode.h"

namespace gemma3n::simd {

inline constexpr int64_t kSlab = 512;  // columns; a multiple of every block
inline constexpr int kTileRows =
    4;  // weight rows side by side: hides the latency of one accumulator

// sums[t] = {w[0] . x_t, ..., w[3] . x_t} over n columns; x_t = x + t * x_stride.
template <class S, int kTokens>
G3N_INLINE void Tile(const float* const w[kTileRows], const float* x, int64_t x_stride, int64_t n,
                     typename S::F4 sums[kTokens]) {
  using F = typename S::F;
  F acc[kTokens][kTileRows];
  G3N_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    G3N_UNROLL
    for (int r = 0; r < kTileRows; ++r) acc[t][r] = S::Zero();
  }
  int64_t c = 0;
  for (; c + S::kLanes <= n; c += S::kLanes) {
    F v[kTokens];
    G3N_UNROLL
    for (int t = 0; t < kTokens; ++t) v[t] = S::Load(x + t * x_stride + c);
    G3N_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      const F weight = S::Load(w[r] + c);
      G3N_UNROLL
      for (int t = 0; t < kTokens; ++t) acc[t][r] = S::Fma(weight, v[t], acc[t][r]);
    }
  }
  if (c < n) {
    G3N_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      const F weight = S::LoadN(w[r] + c, n - c);
      G3N_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        acc[t][r] = S::Fma(weight, S::LoadN(x + t * x_stride + c, n - c), acc[t][r]);
      }
    }
  }
  G3N_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    sums[t] = S::Reduce4(acc[t][0], acc[t][1], acc[t][2], acc[t][3]);
  }
}

// The first `count` of four sums to y, or added to it.
template <class S>
G3N_INLINE void StoreSums(float* y, typename S::F4 sums, int64_t count, bool add) {
  if (count >= kTileRows) return S::Store4(y, add ? S::Add4(S::Load4(y), sums) : sums);
  float part[kTileRows];
  S::Store4(part, sums);
  for (int64_t i = 0; i < count; ++i) y[i] = add ? y[i] + part[i] : part[i];
}

// One token: each weight is decoded in registers, multiplied and forgotten. Bound by reading the
// weights.
template <class S, DType kType>
void LinearOne(const Matrix& w, int64_t row_begin, int64_t row_end, const float* x, float* y) {
  using F = typename S::F;
  using D = Decoder<S, kType>;
  for (int64_t r = row_begin; r < row_end; r += kTileRows) {
    const std::byte* src[kTileRows];
    for (int i = 0; i < kTileRows; ++i) src[i] = w.row(Min(r + i, row_end - 1));
    for (int64_t slab = 0; slab < w.cols; slab += kSlab) {
      const int64_t end = Min(slab + kSlab, w.cols);
      F acc[kTileRows] = {S::Zero(), S::Zero(), S::Zero(), S::Zero()};
      int64_t c = slab;
      for (; c + D::kElements <= end; c += D::kElements) {
        G3N_UNROLL
        for (int i = 0; i < kTileRows; ++i) {
          D::Block(src[i],
                   [&](int j, F v) G3N_LAMBDA { acc[i] = S::Fma(v, S::Load(x + c + j), acc[i]); });
          src[i] += D::kBytes;
        }
      }
      if constexpr (D::kPlain) {
        if (c < end) {
          G3N_UNROLL
          for (int i = 0; i < kTileRows; ++i) {
            acc[i] = S::Fma(PartialBlock<S, D>(src[i], end - c), S::LoadN(x + c, end - c), acc[i]);
          }
        }
      }
      StoreSums<S>(y + r, S::Reduce4(acc[0], acc[1], acc[2], acc[3]), row_end - r, slab > 0);
    }
  }
}

// kTokens tokens times a block of decoded rows, kSlab floats apart, over n columns (a multiple of
// kLanes).
template <class S, int kTokens>
void TileRowBlock(const float* weights, int64_t rows, const float* x, int64_t n, float* y,
                  int64_t y_stride, bool add) {
  for (int64_t r = 0; r < rows; r += kTileRows) {
    const float* w[kTileRows];
    for (int i = 0; i < kTileRows; ++i) w[i] = weights + Min(r + i, rows - 1) * kSlab;
    typename S::F4 sums[kTokens];
    Tile<S, kTokens>(w, x, kSlab, n, sums);
    for (int t = 0; t < kTokens; ++t) StoreSums<S>(y + t * y_stride + r, sums[t], rows - r, add);
  }
}

template <class S>
void TileRowBlock(int64_t tokens, const float* weights, int64_t rows, const float* x, int64_t n,
                  float* y, int64_t y_stride, bool add) {
  switch (tokens) {
    case 1:
      return TileRowBlock<S, 1>(weights, rows, x, n, y, y_stride, add);
    case 2:
      return TileRowBlock<S, 2>(weights, rows, x, n, y, y_stride, add);
    case 3:
      return TileRowBlock<S, 3>(weights, rows, x, n, y, y_stride, add);
    default:
      break;
  }
  if constexpr (S::kTileTokens > 3) {
    switch (tokens) {
      case 4:
        return TileRowBlock<S, 4>(weights, rows, x, n, y, y_stride, add);
      case 5:
        return TileRowBlock<S, 5>(weights, rows, x, n, y, y_stride, add);
      case 6:
        return TileRowBlock<S, 6>(weights, rows, x, n, y, y_stride, add);
      default:
        break;
    }
  }
}

// Many tokens: a block of rows x one slab is decoded to memory that stays in the second-level
// cache, a few tokens' slab is copied to memory that stays in the first, and the two are multiplied
// in register tiles.
template <class S, DType kType>
void LinearMany(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
                const View& y) {
  using D = Decoder<S, kType>;
  constexpr int64_t kBlockRows = 32;
  alignas(64) float weights[kBlockRows * kSlab];  // 64 KB
  alignas(64) float tokens[S::kTileTokens * kSlab];
  const int64_t tiles = (x.rows + S::kTileTokens - 1) / S::kTileTokens;
  for (int64_t r = row_begin; r < row_end; r += kBlockRows) {
    const int64_t rows = Min(kBlockRows, row_end - r);
    for (int64_t slab = 0; slab < w.cols; slab += kSlab) {
      const int64_t n = Min(kSlab, w.cols - slab), padded = RoundUp(n, S::kLanes);
      for (int64_t i = 0; i < rows; ++i) {
        float* row = weights + i * kSlab;
        if (padded > n) S::Store(row + padded - S::kLanes, S::Zero());
        Dequantize<S, kType>(w.row(r + i) + slab / D::kElements * D::kBytes, row, n);
      }
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t t = x.rows * tile / tiles, count = x.rows * (tile + 1) / tiles - t;
        for (int64_t i = 0; i < count; ++i) {
          const float* src = x.row(t + i) + slab;
          float* dst = tokens + i * kSlab;
          int64_t c = 0;
          for (; c + S::kLanes <= n; c += S::kLanes) S::Store(dst + c, S::Load(src + c));
          if (c < n) S::Store(dst + c, S::LoadN(src + c, n - c));
        }
        TileRowBlock<S>(count, weights, rows, tokens, padded, y.row(t) + r, y.stride, slab > 0);
      }
    }
  }
}

template <class S, DType kType>
void Linear(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
            const View& y) {
  if (x.rows == 1) return LinearOne<S, kType>(w, row_begin, row_end, x.row(0), y.row(0));
  LinearMany<S, kType>(w, row_begin, row_end, x, y);
}

}  // namespace gemma3n::simd
