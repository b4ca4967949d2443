// CoarseKernels as templates over the lanes V of few_rows.h, whose Accumulate adds products of
// unsigned levels and signed bytes.
#pragma once

#include "kernels/coarse.h"
#include "kernels/simd/common.h"

namespace gemma3n::simd {

// Plain loops over one kind of number each, which compilers turn into what the lanes of V have. V
// names the copy.
template <class V>
void CoarseEncode(const float* w, int64_t cols, float inverse_step, std::byte* levels,
                  float* centred) {
  for (int64_t c = 0; c < cols; c += kCoarseColumns, levels += kCoarseGroup) {
    float* l = centred + c;
    for (int64_t i = 0; i < kCoarseColumns; ++i) {
      const float place = w[c + i] * inverse_step + kCoarseCentre;
      const float above = place > 0 ? place : 0;
      l[i] = (above < 7 ? above : 7) + 0.5f;
    }
    int32_t whole[kCoarseColumns];
    for (int64_t i = 0; i < kCoarseColumns; ++i) whole[i] = static_cast<int32_t>(l[i]);
    for (int64_t i = 0; i < kCoarseColumns; ++i) {
      l[i] = static_cast<float>(whole[i]) - kCoarseCentre;
    }
    // Three planes, still four bytes a value.
    int32_t* const q = whole;
    constexpr int64_t n = kCoarsePlane;
    int32_t planes[kCoarseGroup];
    for (int64_t i = 0; i < n; ++i) {
      planes[i] = q[i] | q[n + i] << 3 | (q[6 * n + i] & 3) << 6;
      planes[n + i] =
          q[2 * n + i] | q[3 * n + i] << 3 | (q[6 * n + i] & 4) << 4 | (q[7 * n + i] & 4) << 5;
      planes[2 * n + i] = q[4 * n + i] | q[5 * n + i] << 3 | (q[7 * n + i] & 3) << 6;
    }
    auto* out = reinterpret_cast<uint8_t*>(levels);
    for (int64_t i = 0; i < kCoarseGroup; ++i) out[i] = static_cast<uint8_t>(planes[i]);
  }
}

// The eight fields of a vector of each plane.
template <class V>
G3N_INLINE void CoarseFields(const std::byte* p, typename V::B (&q)[kCoarseLevels]) {
  const auto a = V::LoadBytes(p), b = V::LoadBytes(p + kCoarsePlane),
             c = V::LoadBytes(p + 2 * kCoarsePlane);
  q[0] = V::template Field<0, 7>(a);
  q[1] = V::template Field<-3, 7>(a);
  q[2] = V::template Field<0, 7>(b);
  q[3] = V::template Field<-3, 7>(b);
  q[4] = V::template Field<0, 7>(c);
  q[5] = V::template Field<-3, 7>(c);
  q[6] = V::Or(V::template Field<-6, 3>(a), V::template Field<-4, 4>(b));
  q[7] = V::Or(V::template Field<-6, 3>(c), V::template Field<-5, 4>(b));
}

// Rows side by side come from the quarters of the range: long runs through memory.
template <class V, int kTokens, int kRows>
void CoarseStripes(const std::byte* levels, int64_t cols, int64_t begin, int64_t end,
                   const int8_t* x, const View& y) {
  const int64_t stride = cols / kCoarseColumns * kCoarseGroup;
  const int64_t stripe = (end - begin + kRows - 1) / kRows;
  for (int64_t r = begin; r < begin + stripe; ++r) {
    int64_t row[kRows];
    const std::byte* src[kRows];
    typename V::I acc[kTokens][kRows];
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      row[i] = Min(r + i * stripe, end - 1);
      src[i] = levels + row[i] * stride;
      G3N_UNROLL
      for (int t = 0; t < kTokens; ++t) acc[t][i] = V::ZeroInts();
    }
    const int8_t* xs = x;
    for (int64_t at = 0; at < stride; at += kCoarseGroup, xs += kCoarseColumns) {
      G3N_UNROLL
      for (int i = 0; i < kRows; ++i) {
        G3N_UNROLL
        for (int64_t line = 0; line < kCoarseGroup; line += 64)
          V::Prefetch(src[i] + at + line + kReadAhead);
        G3N_UNROLL
        for (int64_t half = 0; half < kCoarsePlane; half += V::kBytes) {
          typename V::B q[kCoarseLevels];
          CoarseFields<V>(src[i] + at + half, q);
          G3N_UNROLL
          for (int t = 0; t < kTokens; ++t) {
            typename V::B bytes[kCoarseLevels];
            G3N_UNROLL
            for (int f = 0; f < kCoarseLevels; ++f) {
              bytes[f] = V::LoadBytes(
                  reinterpret_cast<const std::byte*>(xs + t * cols + f * kCoarsePlane + half));
            }
            acc[t][i] = V::Accumulate(acc[t][i], q, bytes);
          }
        }
      }
    }
    for (int t = 0; t < kTokens; ++t) {
      typename V::F sums[4];  // whole numbers below 2^24 in any order are exact
      for (int i = 0; i < 4; ++i) sums[i] = V::ToFloat(acc[t][i < kRows ? i : 0]);
      float out[4];
      V::Reduce4(sums[0], sums[1], sums[2], sums[3], out);
      for (int i = 0; i < kRows; ++i) y.row(t)[row[i]] = out[i];
    }
  }
}

template <class V>
void CoarseMultiply(const std::byte* levels, int64_t cols, int64_t begin, int64_t end,
                    const int8_t* x, int64_t count, const View& y) {
  if (begin >= end) return;
  switch (count) {
    case 1:
      return CoarseStripes<V, 1, 4>(levels, cols, begin, end, x, y);
    case 2:
      return CoarseStripes<V, 2, 4>(levels, cols, begin, end, x, y);
    case 3:
      return CoarseStripes<V, 3, 2>(levels, cols, begin, end, x, y);
    default:
      return CoarseStripes<V, 4, 2>(levels, cols, begin, end, x, y);
  }
}

template <class V>
constexpr CoarseKernels MakeCoarseKernels() {
  return {CoarseEncode<V>, CoarseMultiply<V>};
}

}  // namespace gemma3n::simd
