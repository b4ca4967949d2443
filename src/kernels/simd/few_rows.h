// FewRowsKernel as templates over lanes V: dot products of bytes, added up in groups of four.
//
// A row of x is packed group by group, as the vectors of W want it:
//   hi, lo   the bytes of each plane, one vector (Q4_0: two) each
//   start    int32 per lane: minus the sum of the values that the lane adds up; float32, times the
//            scale, where weights have mins
//   scale    float32 per lane: of the lane's block
// The centre of unsigned weights (8 of Q4_0, ...) comes back by way of `start`: where the vector
// unit multiplies unsigned by signed bytes, weights are shifted until their centre is 128, and
// 128 * start is what the plane of hi begins with.
#pragma once

#include <cstring>
#include <utility>

#include "kernels/few_rows.h"
#include "kernels/simd/coarse.h"
#include "kernels/simd/common.h"
#include "kernels/simd/few_rows_blocks.h"

namespace gemma3n::simd {

// x of one unit.
template <class V, class D>
struct PlaneUnit {
  static constexpr int kPlane = D::kVectors * V::kBytes, kSize = 2 * kPlane + 2 * V::kBytes;
  static constexpr int kColumns = D::kColumns / D::kUnits;
  static constexpr int kStart = 2 * kPlane, kScale = kStart + V::kBytes;
};

// Sums per lane of 128 hi + lo times the weights, less their centre.
template <class V, class D>
G3N_INLINE typename V::I Products(const typename V::B (&w)[D::kVectors], const std::byte* x) {
  using U = PlaneUnit<V, D>;
  typename V::B hi[D::kVectors], lo[D::kVectors];
  for (int i = 0; i < D::kVectors; ++i) {
    hi[i] = V::LoadBytes(x + i * V::kBytes);
    lo[i] = V::LoadBytes(x + U::kPlane + i * V::kBytes);
  }
  return V::template Sum<D::kVectors, D::kCentre, D::kSigned>(w, hi, lo, x + U::kStart);
}

// acc[t][i] += the group at p[i] times the group of x_t.
template <class V, class D, int kTokens, int kRows, size_t... kRow>
G3N_INLINE void MultiplyGroup(const std::byte* const (&p)[kRows], const PlaneRows& x, int64_t at,
                              typename V::F (&acc)[kTokens][kRows], std::index_sequence<kRow...>) {
  using U = PlaneUnit<V, D>;
  decltype(D::Open(p[0])) open[] = {D::Open(p[kRow])...};
  G3N_UNROLL
  for (int u = 0; u < D::kUnits; ++u) {
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const auto unit = D::Unit(open[i], u);
      G3N_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        const std::byte* xs = x.data + t * x.stride + at + u * U::kSize;
        const auto scale = V::LoadFloats(xs + U::kScale);
        acc[t][i] =
            V::Fma(V::ToFloat(Products<V, D>(unit.w, xs)), V::Mul(unit.scale, scale), acc[t][i]);
        if constexpr (D::kHasMin) {
          acc[t][i] = V::Fnma(unit.min, V::LoadFloats(xs + U::kStart), acc[t][i]);
        }
      }
    }
  }
}

// kRows rows of W at src times kTokens rows of x; what lies at `ahead` is asked for meanwhile.
template <class V, DType kType, int kTokens, int kRows>
G3N_INLINE void MultiplyRows(const std::byte* const (&src)[kRows],
                             const std::byte* const (&ahead)[kRows], int64_t cols,
                             const PlaneRows& x, typename V::F (&acc)[kTokens][kRows]) {
  using D = FewBlock<V, kType>;
  constexpr int64_t kGroup = D::kUnits * PlaneUnit<V, D>::kSize;
  constexpr auto kIndices = std::make_index_sequence<kRows>();
  G3N_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) acc[t][i] = V::Zero();
  }
  const std::byte* p[kRows];
  int64_t at = 0, offset = 0;
  for (int64_t c = 0; c + D::kColumns <= cols; c += D::kColumns) {
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      p[i] = src[i] + offset;
      G3N_UNROLL
      for (int64_t b = 0; b < D::kBytes; b += 64) V::Prefetch(ahead[i] + offset + b);
    }
    MultiplyGroup<V, D>(p, x, at, acc, kIndices);
    offset += D::kBytes;
    at += kGroup;
  }
  if constexpr (D::kColumns % 256 != 0) {
    if (cols % D::kColumns == 0) return;
    alignas(64) std::byte padded[kRows][D::kBytes] = {};  // blocks of zeros after the last
    const auto rest = static_cast<size_t>(cols % D::kColumns / 32 * (D::kBytes * 32 / D::kColumns));
    for (int i = 0; i < kRows; ++i) {
      std::memcpy(padded[i], src[i] + offset, rest);
      p[i] = padded[i];
    }
    MultiplyGroup<V, D>(p, x, at, acc, kIndices);
  }
}

// Rows side by side come from the quarters of the range: long runs through memory.
template <class V, DType kType, int kTokens, int kRows>
void MultiplyFew(const Matrix& w, const RowRange& rows, const PlaneRows& x, const View& y) {
  const int64_t stripe = (rows.end - rows.begin + kRows - 1) / kRows;
  for (int64_t r = rows.begin; r < rows.begin + stripe; ++r) {
    int64_t row[kRows];
    const std::byte *src[kRows], *ahead[kRows];
    for (int i = 0; i < kRows; ++i) {
      const int64_t index = Min(r + i * stripe, rows.end - 1);
      row[i] = rows[index];
      src[i] = w.row(row[i]);
      ahead[i] =
          rows.list == nullptr ? src[i] + kReadAhead : w.row(rows[Min(index + 1, rows.end - 1)]);
    }
    typename V::F acc[kTokens][kRows];
    MultiplyRows<V, kType, kTokens, kRows>(src, ahead, w.cols, x, acc);
    for (int t = 0; t < kTokens; ++t) {
      float sums[4];
      V::Reduce4(acc[t][0], acc[t][kRows > 1 ? 1 : 0], acc[t][kRows > 2 ? 2 : 0],
                 acc[t][kRows > 3 ? 3 : 0], sums);
      for (int i = 0; i < kRows; ++i) y.row(t)[row[i]] = sums[i];
    }
  }
}

template <class V, DType kType, int kTokens>
void MultiplyTokens(const Matrix& w, const RowRange& rows, const PlaneRows& x, const View& y) {
  constexpr int kMost = V::kSums / kTokens;  // accumulators that stay in registers
  MultiplyFew<V, kType, kTokens, kMost >= 4 ? 4 : kMost >= 2 ? 2 : 1>(w, rows, x, y);
}

template <class V, DType kType>
void FewRowsMultiply(const Matrix& w, const RowRange& rows, const PlaneRows& x, const View& y) {
  if (rows.begin >= rows.end) return;
  switch (x.count) {
    case 1:
      return MultiplyTokens<V, kType, 1>(w, rows, x, y);
    case 2:
      return MultiplyTokens<V, kType, 2>(w, rows, x, y);
    case 3:
      return MultiplyTokens<V, kType, 3>(w, rows, x, y);
    case 4:
      return MultiplyTokens<V, kType, 4>(w, rows, x, y);
    case 5:
      return MultiplyTokens<V, kType, 5>(w, rows, x, y);
    case 6:
      return MultiplyTokens<V, kType, 6>(w, rows, x, y);
    case 7:
      return MultiplyTokens<V, kType, 7>(w, rows, x, y);
    default:
      return MultiplyTokens<V, kType, 8>(w, rows, x, y);
  }
}

// The planes of 32 values to hi and lo, whose halves of 16 bytes are `half` bytes apart. Returns
// their scale.
template <class V>
G3N_INLINE float SplitBlock(const float* x, std::byte* hi, std::byte* lo, int64_t half) {
  const uint32_t bits = V::MaxMagnitude32(x);
  const bool finite = bits < 0x7f800000;
  const float largest = BitsToFloat(bits);
  const float inverse = finite && bits >= kPlaneSmallest ? kPlaneMaximum / largest : 0;
  if (inverse == 0) {  // also keeps NaN out of the conversion
    V::ZeroPlanes16(hi, lo);
    V::ZeroPlanes16(hi + half, lo + half);
    return finite ? 0 : BitsToFloat(0x7fc00000);
  }
  V::Planes16(x, inverse, hi, lo);
  V::Planes16(x + 16, inverse, hi + half, lo + half);
  return largest / kPlaneMaximum;
}

template <class V, DType kType>
void FewRowsPack(const float* x, int64_t cols, std::byte* packed) {
  using D = FewBlock<V, kType>;
  using U = PlaneUnit<V, D>;
  // Q4_0 keeps the halves of a block apart: its low nibbles are one vector, its high ones another.
  constexpr bool kHalves = D::kVectors == 2;
  constexpr int kBlocks = U::kColumns / 32, kLanes = V::kBytes / 4 / kBlocks;
  constexpr int64_t kHalf = kHalves ? V::kBytes : 16, kStep = kHalves ? 16 : 32;
  for (int64_t c = 0; c < cols; c += U::kColumns, packed += U::kSize) {
    std::byte *hi = packed, *lo = packed + U::kPlane;
    float scales[V::kBytes / 4];
    for (int b = 0; b < kBlocks; ++b) {
      float scale = 0;
      if (c + b * 32 < cols) {
        scale = SplitBlock<V>(x + c + b * 32, hi + b * kStep, lo + b * kStep, kHalf);
      } else {
        V::ZeroPlanes16(hi + b * kStep, lo + b * kStep);
        V::ZeroPlanes16(hi + b * kStep + kHalf, lo + b * kStep + kHalf);
      }
      for (int l = 0; l < kLanes; ++l) scales[b * kLanes + l] = scale * D::kScale;
    }
    std::memcpy(packed + U::kScale, scales, sizeof(scales));
    V::StoreStart(packed + U::kStart, hi, lo, D::kVectors);
    if constexpr (D::kHasMin) {
      const auto start = V::ToFloat(V::LoadInts(packed + U::kStart));
      V::StoreFloats(packed + U::kStart, V::Mul(start, V::LoadFloats(packed + U::kScale)));
    }
  }
}

template <class V, DType kType>
constexpr FewRowsKernel MakeFewRowsKernel() {
  using D = FewBlock<V, kType>;
  using U = PlaneUnit<V, D>;
  return {U::kColumns, U::kSize, FewRowsPack<V, kType>, FewRowsMultiply<V, kType>};
}

template <class V>
constexpr FewRowsKernels MakeFewRowsKernels() {
  FewRowsKernels kernels = {};
  kernels.of[static_cast<int>(DType::kQ4_0)] = MakeFewRowsKernel<V, DType::kQ4_0>();
  kernels.of[static_cast<int>(DType::kQ8_0)] = MakeFewRowsKernel<V, DType::kQ8_0>();
  kernels.of[static_cast<int>(DType::kQ4_K)] = MakeFewRowsKernel<V, DType::kQ4_K>();
  kernels.of[static_cast<int>(DType::kQ5_K)] = MakeFewRowsKernel<V, DType::kQ5_K>();
  kernels.of[static_cast<int>(DType::kQ6_K)] = MakeFewRowsKernel<V, DType::kQ6_K>();
  kernels.of[static_cast<int>(DType::kIQ4_NL)] = MakeFewRowsKernel<V, DType::kIQ4_NL>();
  kernels.of[static_cast<int>(DType::kIQ4_XS)] = MakeFewRowsKernel<V, DType::kIQ4_XS>();
  kernels.coarse = MakeCoarseKernels<V>();
  return kernels;
}

}  // namespace gemma3n::simd
