// Stored weights as bfloat16, a piece of a row at a time: Expander<DType> has
//   kSteps, kBytes      steps (of 32 columns) and stored bytes of a piece
//   Piece(src, dst)     writes each step's 64 bytes kTileBytes apart
//   Tail(src, n, dst)   plain types: n < 32 columns, zeros after them
// Values are the stored ones, rounded to nearest even; denormals become zero.
#pragma once

#include <immintrin.h>

#include "kernels/avx512/simd.h"
#include "kernels/packed.h"
#include "kernels/simd/decode.h"

namespace gemma3n::amx {

struct ExpandSimd : avx512::Simd {};  // names the templates of this folder's files

template <DType kType>
struct Expander {
  using D = simd::Decoder<ExpandSimd, kType>;
  static constexpr bool kPlain = false;
  static constexpr int kSteps = D::kElements / 32, kBytes = D::kBytes;

  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    simd::DecodeBlock<D>(src, [&](int j, __m512 v) G3N_LAMBDA {
      _mm256_store_si256(reinterpret_cast<__m256i*>(dst + j / 32 * kTileBytes + j % 32 * 2),
                         (__m256i)_mm512_cvtneps_pbh(v));
    });
  }
};

template <DType kType, int kSize>
struct PlainExpander {
  using D = simd::Decoder<ExpandSimd, kType>;
  static constexpr bool kPlain = true;
  static constexpr int kSteps = 1, kBytes = 32 * kSize;

  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    const auto load = [](const std::byte* p) G3N_LAMBDA {
      if constexpr (kType == DType::kF32) return ExpandSimd::Load(p);
      return ExpandSimd::LoadHalf(p);
    };
    _mm512_store_si512(dst, (__m512i)_mm512_cvtne2ps_pbh(load(src + 16 * kSize), load(src)));
  }
  static G3N_INLINE void Tail(const std::byte* src, int64_t n, std::byte* dst) {
    alignas(64) std::byte padded[kBytes] = {};
    std::memcpy(padded, src, static_cast<size_t>(n * kSize));
    Piece(padded, dst);
  }
};
template <>
struct Expander<DType::kF32> : PlainExpander<DType::kF32, 4> {};
template <>
struct Expander<DType::kF16> : PlainExpander<DType::kF16, 2> {};

template <>
struct Expander<DType::kBF16> {
  static constexpr bool kPlain = true;
  static constexpr int kSteps = 1, kBytes = 64;
  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    _mm512_store_si512(dst, _mm512_loadu_si512(src));
  }
  static G3N_INLINE void Tail(const std::byte* src, int64_t n, std::byte* dst) {
    const __mmask32 mask = (uint32_t{1} << n) - 1;
    _mm512_store_si512(dst, _mm512_maskz_loadu_epi16(mask, src));
  }
};

// The sixteen levels of a block are rounded, and looked up by the words' low bits: the table lies
// twice in the vector, so that what is above a low nibble does not matter.
struct NibbleExpander {
  static constexpr bool kPlain = false;
  static constexpr int kSteps = 1, kBytes = 18;

  static G3N_INLINE void Look(const std::byte* src, __m512 levels, std::byte* dst) {
    alignas(64) static constexpr uint8_t kSpread[64] = {
        0,  0,  1,  1,  2,  2,  3,  3,  4,  4,  5,  5,  6,  6,  7,  7,  8,  8,  9,  9, 10, 10,
        11, 11, 12, 12, 13, 13, 14, 14, 15, 15, 0,  0,  1,  1,  2,  2,  3,  3,  4,  4, 5,  5,
        6,  6,  7,  7,  8,  8,  9,  9,  10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15};
    alignas(64) static constexpr uint16_t kShift[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                        0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4,
                                                        4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
    const __m512 d = _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_loadu_si16(src)));
    const __m512i table =
        _mm512_broadcast_i64x4((__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(levels, d)));
    const __m512i bytes =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + 2)));
    const __m512i words = _mm512_srlv_epi16(_mm512_shuffle_epi8(bytes, _mm512_load_si512(kSpread)),
                                            _mm512_load_si512(kShift));
    _mm512_store_si512(dst, _mm512_permutexvar_epi16(words, table));
  }
};

template <>
struct Expander<DType::kQ4_0> : NibbleExpander {
  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    Look(src, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7), dst);
  }
};
template <>
struct Expander<DType::kIQ4_NL> : NibbleExpander {
  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    Look(src,
         _mm512_setr_ps(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113),
         dst);
  }
};

template <>
struct Expander<DType::kQ8_0> {
  static constexpr bool kPlain = false;
  static constexpr int kSteps = 1, kBytes = 34;
  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    const __m512 d = _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_loadu_si16(src)));
    const auto half = [&](int i) G3N_LAMBDA {
      const auto* q = reinterpret_cast<const __m128i*>(src + 2 + i);
      return _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(q))));
    };
    _mm512_store_si512(dst, (__m512i)_mm512_cvtne2ps_pbh(half(16), half(0)));
  }
};

// Six-bit integers are put together 64 at a time before they become floats.
template <>
struct Expander<DType::kQ6_K> {
  static constexpr bool kPlain = false;
  static constexpr int kSteps = 8, kBytes = sizeof(BlockQ6_K);

  static G3N_INLINE void Piece(const std::byte* src, std::byte* dst) {
    const simd::ScalesQ6_K<ExpandSimd> scales(src);
    const BlockQ6_K& block = scales.block;
    // Two bits of quarter k lie at 2 k; quarters 2 k and 2 k + 1 are a vector's halves.
    alignas(64) static constexpr uint16_t kUp[32] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
                                                     4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2,
                                                     2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    alignas(64) static constexpr uint16_t kDown[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                       0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2,
                                                       2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    G3N_UNROLL
    for (int half = 0; half < 2; ++half) {
      const __m512i low = _mm512_loadu_si512(block.ql + 64 * half);
      const __m512i high = _mm512_broadcast_i64x4(
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block.qh + 32 * half)));
      Quarters(low, _mm512_sllv_epi16(high, _mm512_load_si512(kUp)), scales.values + 8 * half,
               dst + 4 * half * kTileBytes);
      Quarters(_mm512_srli_epi16(low, 4), _mm512_srlv_epi16(high, _mm512_load_si512(kDown)),
               scales.values + 8 * half + 4, dst + (4 * half + 2) * kTileBytes);
    }
  }

 private:
  // 64 values, their four and two bits in place: two steps.
  static G3N_INLINE void Quarters(__m512i low, __m512i high, const float* scales, std::byte* dst) {
    alignas(64) int8_t q[64];
    const __m512i joined = _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi8(15)),
                                           _mm512_and_si512(high, _mm512_set1_epi8(48)));
    _mm512_store_si512(q, _mm512_sub_epi8(joined, _mm512_set1_epi8(32)));
    const auto sixteen = [&](int i) G3N_LAMBDA {
      const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(q + 16 * i));
      return _mm512_mul_ps(_mm512_set1_ps(scales[i]),
                           _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
    };
    _mm512_store_si512(dst, (__m512i)_mm512_cvtne2ps_pbh(sixteen(1), sixteen(0)));
    _mm512_store_si512(dst + kTileBytes, (__m512i)_mm512_cvtne2ps_pbh(sixteen(3), sixteen(2)));
  }
};

}  // namespace gemma3n::amx
