// Eight lanes for kernels/simd/few_rows.h. Files of several instruction sets include this, so
// everything is compiled into its caller. What is missing here is how bytes are multiplied.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"

namespace gemma3n::avx2 {

struct FewRowsLanes {
  static constexpr int kBytes = 32, kSums = 8;
  using B = __m256i;  // 32 bytes
  using I = __m256i;  // 8 int32
  using F = __m256;

  static G3N_INLINE F Zero() { return _mm256_setzero_ps(); }
  static G3N_INLINE I ZeroInts() { return _mm256_setzero_si256(); }
  static G3N_INLINE B Or(B a, B b) { return _mm256_or_si256(a, b); }
  static G3N_INLINE F Mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static G3N_INLINE F Fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }
  static G3N_INLINE F ToFloat(I v) { return _mm256_cvtepi32_ps(v); }
  static G3N_INLINE F LoadFloats(const std::byte* p) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE void StoreFloats(std::byte* p, F v) {
    _mm256_storeu_ps(reinterpret_cast<float*>(p), v);
  }
  static G3N_INLINE I LoadInts(const std::byte* p) { return Load32(p); }
  static G3N_INLINE B LoadBytes(const std::byte* p) { return Load32(p); }
  static G3N_INLINE void Prefetch(const std::byte* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
  }
  // The sums of four vectors, each in the same order.
  static G3N_INLINE void Reduce4(F a, F b, F c, F d, float* sums) {
    const F ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    const F cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    const F abcd = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1)));
  }

  // Each byte's bits, shifted left by kLeft (right if negative), under a mask.
  template <int kLeft, int kMask>
  static G3N_INLINE B Field(B v) {
    return And(kLeft >= 0 ? _mm256_slli_epi16(v, kLeft >= 0 ? kLeft : 0)
                          : _mm256_srli_epi16(v, kLeft >= 0 ? 0 : -kLeft),
               kMask);
  }

  // The nibbles of two blocks, 16 bytes each, and their scales, four lanes each.
  static G3N_INLINE B NibblesQ4_0(const std::byte* p) {
    return _mm256_set_m128i(Load16(p + 20), Load16(p + 2));
  }
  static G3N_INLINE F ScalesQ4_0(const std::byte* p) {
    const auto low = static_cast<int16_t>(LoadU16(p)), high = static_cast<int16_t>(LoadU16(p + 18));
    return _mm256_cvtph_ps(_mm_unpacklo_epi64(_mm_set1_epi16(low), _mm_set1_epi16(high)));
  }
  static G3N_INLINE B LoadQ8_0(const std::byte* p) { return Load32(p + 2); }
  static G3N_INLINE F ScalesQ8_0(const std::byte* p) { return _mm256_set1_ps(HalfAt(p)); }

  // Sixteen scales. Pick<n>: scales first + 8 u / n ..., n lanes each.
  struct Scales {
    F half[2];
  };
  template <int kLanes>
  static G3N_INLINE F Pick(const Scales& scales, int first, int u) {
    const int at = first + 8 / kLanes * u;
    const I lane = kLanes == 4 ? _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1) : _mm256_setzero_si256();
    return _mm256_permutevar8x32_ps(scales.half[at / 8],
                                    _mm256_add_epi32(lane, _mm256_set1_epi32(at % 8)));
  }
  static G3N_INLINE Scales ScalesQ6_K(const BlockQ6_K& b) {
    const __m128i scales = Load16(b.scales);
    const F d = _mm256_set1_ps(HalfAt(b.d));
    return {{Mul(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales))),
             Mul(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(scales, 8))))}};
  }
  // d * scales, -dmin * mins.
  static G3N_INLINE Scales ScalesAndMins(uint64_t scales, uint64_t mins, const uint8_t* dm) {
    return {{Mul(_mm256_set1_ps(HalfAt(dm)), Bytes8(scales)),
             Mul(_mm256_set1_ps(-HalfAt(dm + 2)), Bytes8(mins))}};
  }
  // Columns 32 u ... of a super-block, times 2^kShift.
  template <int kShift>
  static G3N_INLINE B SextetsQ6_K(const BlockQ6_K& b, int u) {
    const int k = u % 4;
    const B ql = Load32(b.ql + 64 * (u / 4) + 32 * (k % 2)), qh = Load32(b.qh + 32 * (u / 4));
    const B low = And(Shift(ql, kShift - 4 * (k / 2)), 15 << kShift);
    return _mm256_or_si256(low, And(Shift(qh, 4 + kShift - 2 * k), 3 << (4 + kShift)));
  }
  template <class Block>
  static G3N_INLINE B SuperBytes(const Block& b, int u) {
    const B low = And(Shift(Load32(b.qs + 32 * (u / 2)), -4 * (u % 2)), 15);
    if constexpr (kHasFifthBits<Block>)
      return _mm256_or_si256(low, And(Shift(Load32(b.qh), 4 - u), 16));
    return low;
  }

  static G3N_INLINE B NibblesIQ4_XS(const BlockIQ4_XS& b, int u) {
    const __m128i qs = Load16(b.qs + 16 * u);
    return And(_mm256_set_m128i(_mm_srli_epi16(qs, 4), qs), 15);
  }
  static G3N_INLINE Scales ScalesIQ4_XS(const BlockIQ4_XS& b) {
    const __m128i scales = _mm_cvtsi64_si128(static_cast<int64_t>(UnpackScales(b)));
    return {{Mul(_mm256_set1_ps(HalfAt(b.d)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales))),
             Zero()}};
  }
  static G3N_INLINE B LookUp(B indices, const uint8_t* levels) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(Load16(levels)), indices);
  }

  // Packing x.
  static G3N_INLINE uint32_t MaxMagnitude32(const float* x) {
    const I magnitude = _mm256_set1_epi32(INT32_MAX);
    I most = _mm256_setzero_si256();
    for (int i = 0; i < 32; i += 8) {
      most = _mm256_max_epu32(most, _mm256_and_si256(Load32(x + i), magnitude));
    }
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    m = _mm_max_epu32(m, _mm_unpackhi_epi64(m, m));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
  }
  static G3N_INLINE void Planes16(const float* x, float inverse, std::byte* hi, std::byte* lo) {
    const I a = Round(x, inverse), b = Round(x + 8, inverse);
    const I ha = High(a), hb = High(b);
    Store16(hi, Narrow(ha, hb));
    Store16(lo, Narrow(_mm256_sub_epi32(a, _mm256_slli_epi32(ha, 7)),
                       _mm256_sub_epi32(b, _mm256_slli_epi32(hb, 7))));
  }
  static G3N_INLINE void ZeroPlanes16(std::byte* hi, std::byte* lo) {
    Store16(hi, _mm_setzero_si128());
    Store16(lo, _mm_setzero_si128());
  }
  static G3N_INLINE void StoreStart(std::byte* p, const std::byte* hi, const std::byte* lo,
                                    int vectors) {
    I high = _mm256_setzero_si256(), low = _mm256_setzero_si256();
    for (int i = 0; i < vectors; ++i) {
      high = _mm256_add_epi32(high, SumBytes(LoadBytes(hi + i * kBytes)));
      low = _mm256_add_epi32(low, SumBytes(LoadBytes(lo + i * kBytes)));
    }
    const I sum = _mm256_add_epi32(_mm256_slli_epi32(high, 7), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_sub_epi32(_mm256_setzero_si256(), sum));
  }

  static G3N_INLINE I SumPairs(__m256i v) { return _mm256_madd_epi16(v, _mm256_set1_epi16(1)); }

 private:
  static G3N_INLINE B And(B v, int mask) {
    return _mm256_and_si256(v, _mm256_set1_epi8(static_cast<char>(mask)));
  }
  static G3N_INLINE B Shift(B v, int left) {  // a constant after unrolling
    return left < 0 ? _mm256_srli_epi16(v, -left) : _mm256_slli_epi16(v, left);
  }
  static G3N_INLINE I Round(const float* x, float inverse) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), _mm256_set1_ps(inverse)));
  }
  static G3N_INLINE I High(I q) {
    return _mm256_srai_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(64)), 7);
  }
  static G3N_INLINE __m128i Narrow(I a, I b) {
    const I words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  }
  static G3N_INLINE F Bytes8(uint64_t bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes))));
  }
  static G3N_INLINE I SumBytes(B v) {
    return SumPairs(_mm256_maddubs_epi16(_mm256_set1_epi8(1), v));
  }
  static G3N_INLINE __m128i Load16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  static G3N_INLINE __m256i Load32(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static G3N_INLINE void Store16(std::byte* p, __m128i v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
  }
  static G3N_INLINE float HalfAt(const void* p) { return _cvtsh_ss(LoadU16(p)); }
};

}  // namespace gemma3n::avx2
