// y = W x in float32. Two ways, one arithmetic: every y[t, r] is a sum over slabs of kSlab columns,
// each slab summed in one vector accumulator (lane = column modulo kLanes) and then across its
// lanes. So a token's result has the same bits alone, in a batch, or in a prompt of any length,
// whichever way computed it.
#pragma once

#include <utility>

#include "kernels/kernel_table.h"
#include "kernels/simd/common.h"
#include "kernels/simd/decode.h"

namespace gemma3n::simd {

inline constexpr int64_t kSlab = 512;  // columns; a multiple of every block
inline constexpr int kTileRows =
    4;  // weight rows side by side: hides the latency of one accumulator

template <class S>
G3N_INLINE typename S::F LoadVector(const float* p) {
  return S::Load(p);
}
template <class S>
G3N_INLINE typename S::F LoadVector(const uint16_t* halves) {
  return S::LoadHalf(halves);
}

// sums[t] = {w[0] . x_t, ..., w[3] . x_t} over n columns; x_t = x + t * x_stride. E: float, or
// uint16_t for halves, which are fetched kAhead elements ahead and come in whole vectors.
template <class S, int kTokens, int kAhead = 0, class E>
G3N_INLINE void Tile(const E* const w[kTileRows], const float* x, int64_t x_stride, int64_t n,
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
      const F weight = LoadVector<S>(w[r] + c);
      G3N_UNROLL
      for (int t = 0; t < kTokens; ++t) acc[t][r] = S::Fma(weight, v[t], acc[t][r]);
    }
    if constexpr (kAhead > 0) {
      constexpr int64_t kLine = 64 / sizeof(E);
      if (c % kLine == 0) {
        G3N_UNROLL
        for (int r = 0; r < kTileRows; ++r) __builtin_prefetch(w[r] + c + kAhead);
      }
    }
  }
  if constexpr (sizeof(E) == sizeof(float)) {
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

// acc[t][i] += the block at src[i] times x_t, for kTokens tokens, and src[i] to the next block. The
// rows take turns at each piece, so that a row's dependent sums overlap with the other rows'
// decoding.
template <class S, class D, int kTokens, size_t... kRow>
G3N_INLINE void MultiplyBlocks(const std::byte* (&src)[kTileRows], const float* x, int64_t x_stride,
                               typename S::F (&acc)[kTokens][kTileRows],
                               std::index_sequence<kRow...>) {
  decltype(D::Open(src[0])) open[] = {D::Open(src[kRow])...};
  G3N_UNROLL
  for (int k = 0; k < D::kPieces; ++k) {
    G3N_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      D::Piece(open[i], k, [&](int j, typename S::F v) G3N_LAMBDA {
        G3N_UNROLL
        for (int t = 0; t < kTokens; ++t)
          acc[t][i] = S::Fma(v, S::Load(x + t * x_stride + j), acc[t][i]);
      });
    }
  }
  for (int i = 0; i < kTileRows; ++i) src[i] += D::kBytes;
}

// sums[t] = {row 0 . x_t, ..., row 3 . x_t} over columns [begin, end); src[i] is row i at column
// begin, and moves on.
template <class S, class D, int kTokens>
G3N_INLINE void SumSlab(const std::byte* (&src)[kTileRows], const ConstView& x, int64_t begin,
                        int64_t end, typename S::F4 (&sums)[kTokens]) {
  using F = typename S::F;
  F acc[kTokens][kTileRows];
  G3N_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    G3N_UNROLL
    for (int i = 0; i < kTileRows; ++i) acc[t][i] = S::Zero();
  }
  int64_t c = begin;
  for (; c + D::kElements <= end; c += D::kElements) {
    MultiplyBlocks<S, D>(src, x.data + c, x.stride, acc, std::make_index_sequence<kTileRows>());
  }
  if constexpr (D::kPlain) {
    if (c < end) {
      G3N_UNROLL
      for (int i = 0; i < kTileRows; ++i) {
        const F v = PartialBlock<S, D>(src[i], end - c);
        G3N_UNROLL
        for (int t = 0; t < kTokens; ++t)
          acc[t][i] = S::Fma(v, S::LoadN(x.row(t) + c, end - c), acc[t][i]);
      }
    }
  }
  G3N_UNROLL
  for (int t = 0; t < kTokens; ++t)
    sums[t] = S::Reduce4(acc[t][0], acc[t][1], acc[t][2], acc[t][3]);
}

// A few tokens: each weight is decoded in registers, multiplied and forgotten. Bound by reading the
// weights, so the rows that are side by side come from the four quarters of the range: four long
// runs through memory, which the processor prefetches twice as fast as many short ones.
template <class S, DType kType, int kTokens>
void LinearFew(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
               const View& y) {
  const int64_t stripe = (row_end - row_begin + kTileRows - 1) / kTileRows;
  for (int64_t r = row_begin; r < row_begin + stripe; ++r) {
    int64_t row[kTileRows];
    const std::byte* src[kTileRows];
    for (int i = 0; i < kTileRows; ++i) {
      row[i] = Min(r + i * stripe, row_end - 1);
      src[i] = w.row(row[i]);
    }
    float total[kTokens][kTileRows] = {};
    for (int64_t slab = 0; slab < w.cols; slab += kSlab) {
      typename S::F4 sums[kTokens];
      SumSlab<S, Decoder<S, kType>, kTokens>(src, x, slab, Min(slab + kSlab, w.cols), sums);
      for (int t = 0; t < kTokens; ++t) StoreSums<S>(total[t], sums[t], kTileRows, slab > 0);
    }
    for (int t = 0; t < kTokens; ++t) {
      for (int i = 0; i < kTileRows; ++i) y.row(t)[row[i]] = total[t][i];
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

// Columns slab .. slab + n of x, rows kSlab floats apart, zeros up to a whole vector.
template <class S>
G3N_INLINE void CopySlab(const ConstView& x, int64_t slab, int64_t n, float* dst) {
  for (int64_t t = 0; t < x.rows; ++t, dst += kSlab) {
    const float* src = x.row(t) + slab;
    int64_t c = 0;
    for (; c + S::kLanes <= n; c += S::kLanes) S::Store(dst + c, S::Load(src + c));
    if (c < n) S::Store(dst + c, S::LoadN(src + c, n - c));
  }
}

// The order in which LinearMany visits blocks of rows x one slab. Along the rows, as the weights
// lie in memory; or, when the activations are larger than the second-level cache, slab by slab, so
// that they are read once and not once per block of rows.
template <class S>
struct BlockOrder {
  static constexpr int64_t kRows = 32, kLargeInput = int64_t{1} << 18;  // floats
  int64_t row_begin, row_blocks, slabs;
  bool slab_by_slab;

  BlockOrder(const Matrix& w, int64_t begin, int64_t end, int64_t tokens)
      : row_begin(begin),
        row_blocks((end - begin + kRows - 1) / kRows),
        slabs((w.cols + kSlab - 1) / kSlab),
        slab_by_slab(tokens * w.cols > kLargeInput) {}
  int64_t count() const { return row_blocks * slabs; }
  int64_t Row(int64_t i) const {
    return row_begin + kRows * (slab_by_slab ? i % row_blocks : i / slabs);
  }
  int64_t Slab(int64_t i) const { return kSlab * (slab_by_slab ? i / row_blocks : i % slabs); }
};

template <class D>
G3N_INLINE const std::byte* SlabStart(const Matrix& w, int64_t row, int64_t slab) {
  return w.row(row) + slab / D::kElements * D::kBytes;
}

// Many tokens: a block of rows x one slab is decoded to memory that stays in the second-level
// cache, a few tokens' slab is copied to memory that stays in the first, and the two are multiplied
// in register tiles. While a block is decoded the next one is fetched, to arrive during the
// multiplication.
template <class S, DType kType>
void LinearMany(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
                const View& y) {
  using D = Decoder<S, kType>;
  constexpr int64_t kBlockRows = BlockOrder<S>::kRows;
  alignas(64) float weights[kBlockRows * kSlab];  // 64 KB
  alignas(64) float tokens[S::kTileTokens * kSlab];
  const int64_t tiles = (x.rows + S::kTileTokens - 1) / S::kTileTokens;
  const BlockOrder<S> order(w, row_begin, row_end, x.rows);
  for (int64_t block = 0; block < order.count(); ++block) {
    const int64_t r = order.Row(block), slab = order.Slab(block);
    const int64_t rows = Min(kBlockRows, row_end - r), n = Min(kSlab, w.cols - slab);
    const int64_t next = Min(block + 1, order.count() - 1), next_row = order.Row(next),
                  next_slab = order.Slab(next);
    const int64_t next_bytes = Min(kSlab, w.cols - next_slab) / D::kElements * D::kBytes;
    const int64_t padded = RoundUp(n, S::kLanes);
    for (int64_t i = 0; i < rows; ++i) {
      const std::byte* ahead = SlabStart<D>(w, Min(next_row + i, row_end - 1), next_slab);
      for (int64_t b = 0; b < next_bytes; b += 64) S::Prefetch(ahead + b);
      float* row = weights + i * kSlab;
      if (padded > n) S::Store(row + padded - S::kLanes, S::Zero());
      Dequantize<S, kType>(SlabStart<D>(w, r + i, slab), row, n);
    }
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t t = x.rows * tile / tiles, count = x.rows * (tile + 1) / tiles - t;
      CopySlab<S>(x.Rows(t, count), slab, n, tokens);
      TileRowBlock<S>(count, weights, rows, tokens, padded, y.row(t) + r, y.stride, slab > 0);
    }
  }
}

template <class S, DType kType>
void Linear(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
            const View& y) {
  if (row_begin >= row_end) return;
  if (x.rows == 1) return LinearFew<S, kType, 1>(w, row_begin, row_end, x, y);
  if (x.rows == 2) return LinearFew<S, kType, 2>(w, row_begin, row_end, x, y);
  if constexpr (S::kFewTokens >= 4) {
    if (x.rows == 3) return LinearFew<S, kType, 3>(w, row_begin, row_end, x, y);
    if (x.rows == 4) return LinearFew<S, kType, 4>(w, row_begin, row_end, x, y);
  }
  LinearMany<S, kType>(w, row_begin, row_end, x, y);
}

}  // namespace gemma3n::simd
