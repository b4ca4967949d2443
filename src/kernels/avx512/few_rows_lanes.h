// Sixteen lanes for kernels/simd/few_rows.h. Files of several instruction sets include this, so
// everything is compiled into its caller. What is missing here is how bytes are multiplied.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"

namespace gemma3n::avx512 {

struct FewRowsLanes {
  static constexpr int kBytes = 64, kSums = 16;
  using B = __m512i;  // 64 bytes
  using I = __m512i;  // 16 int32
  using F = __m512;

  static G3N_INLINE F Zero() { return _mm512_setzero_ps(); }
  static G3N_INLINE I ZeroInts() { return _mm512_setzero_si512(); }
  static G3N_INLINE B Or(B a, B b) { return _mm512_or_si512(a, b); }
  static G3N_INLINE F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static G3N_INLINE F Fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }
  static G3N_INLINE F ToFloat(I v) { return _mm512_cvtepi32_ps(v); }
  static G3N_INLINE F LoadFloats(const std::byte* p) { return _mm512_loadu_ps(p); }
  static G3N_INLINE void StoreFloats(std::byte* p, F v) { _mm512_storeu_ps(p, v); }
  static G3N_INLINE I LoadInts(const std::byte* p) { return _mm512_loadu_si512(p); }
  static G3N_INLINE B LoadBytes(const std::byte* p) { return _mm512_loadu_si512(p); }
  static G3N_INLINE void Prefetch(const std::byte* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
  }
  // The sums of four vectors, each in the same order.
  static G3N_INLINE void Reduce4(F a, F b, F c, F d, float* sums) {
    const F ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const F cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const F abcd = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
  }

  // Each byte's bits, shifted left by kLeft (right if negative), under a mask.
  template <int kLeft, int kMask>
  static G3N_INLINE B Field(B v) {
    const B moved = kLeft >= 0 ? _mm512_slli_epi16(v, kLeft >= 0 ? kLeft : 0)
                               : _mm512_srli_epi16(v, kLeft >= 0 ? 0 : -kLeft);
    return _mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(kMask)));
  }

  // The nibbles of four blocks, 16 bytes each.
  static G3N_INLINE B NibblesQ4_0(const std::byte* p) {
    B z = _mm512_castsi128_si512(Load16(p + 2));
    z = _mm512_mask_broadcast_i32x4(z, 0x00f0, Load16(p + 20));
    z = _mm512_mask_broadcast_i32x4(z, 0x0f00, Load16(p + 38));
    return _mm512_mask_broadcast_i32x4(z, 0xf000, Load16(p + 56));
  }
  // The scales of four blocks, four lanes each.
  static G3N_INLINE F ScalesQ4_0(const std::byte* p) {
    const __m256i pick = _mm256_setr_epi16(0, 0, 0, 0, 9, 9, 9, 9, 18, 18, 18, 18, 27, 27, 27, 27);
    return _mm512_cvtph_ps(_mm512_castsi512_si256(
        _mm512_permutexvar_epi16(_mm512_zextsi256_si512(pick), _mm512_loadu_si512(p))));
  }
  // Two blocks' bytes and scales.
  static G3N_INLINE B LoadQ8_0(const std::byte* p) {
    return _mm512_mask_broadcast_i64x4(_mm512_zextsi256_si512(Load32(p + 2)), 0xf0, Load32(p + 36));
  }
  static G3N_INLINE F ScalesQ8_0(const std::byte* p) {
    const __m128i low = _mm_set1_epi16(static_cast<int16_t>(LoadU16(p))),
                  high = _mm_set1_epi16(static_cast<int16_t>(LoadU16(p + 34)));
    return _mm512_cvtph_ps(_mm256_set_m128i(high, low));
  }

  // Sixteen scales. Pick<n>: scales first + 16 u / n ..., n lanes each.
  using Scales = F;
  template <int kLanes>
  static G3N_INLINE F Pick(F scales, int first, int u) {
    const I lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const I index = _mm512_add_epi32(_mm512_srli_epi32(lane, kLanes == 4 ? 2 : 3),
                                     _mm512_set1_epi32(first + 16 / kLanes * u));
    return _mm512_permutexvar_ps(index, scales);
  }
  static G3N_INLINE F ScalesQ6_K(const BlockQ6_K& b) {
    const __m128i scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b.scales));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scales)),
                         _mm512_set1_ps(HalfAt(b.d)));
  }
  // d * scales, -dmin * mins.
  static G3N_INLINE F ScalesAndMins(uint64_t scales, uint64_t mins, const uint8_t* dm) {
    const __m128i bytes = _mm_set_epi64x(static_cast<int64_t>(mins), static_cast<int64_t>(scales));
    const F factors =
        _mm512_insertf32x8(_mm512_set1_ps(HalfAt(dm)), _mm256_set1_ps(-HalfAt(dm + 2)), 1);
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), factors);
  }
  // Columns 64 u ... of a super-block, times 2^kShift.
  template <int kShift>
  static G3N_INLINE B SextetsQ6_K(const BlockQ6_K& b, int u) {
    const B ql = _mm512_loadu_si512(b.ql + 64 * (u / 2));
    const B low =
        u % 2 == 0 ? Field<kShift, 15 << kShift>(ql) : Field<kShift - 4, 15 << kShift>(ql);
    // Bits 2k, 2k + 1 to 4, 5.
    const int turn = 4 + kShift - 4 * (u % 2);
    return OrRotated(low, b.qh + 32 * (u / 2), turn, turn - 2, 3 << (4 + kShift));
  }
  template <class Block>
  static G3N_INLINE B SuperBytes(const Block& b, int u) {
    const I shifts = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(4), 1);
    const B both = _mm512_broadcast_i64x4(Load32(b.qs + 32 * u));
    const B low = _mm512_and_si512(_mm512_srlv_epi16(both, shifts), _mm512_set1_epi8(15));
    if constexpr (kHasFifthBits<Block>) return OrRotated(low, b.qh, 4 - 2 * u, 3 - 2 * u, 16);
    return low;
  }

  static G3N_INLINE B NibblesIQ4_XS(const BlockIQ4_XS& b, int u) {
    const B qs = _mm512_castsi256_si512(Load32(b.qs + 32 * u));
    const I shifts = _mm512_set_epi64(0x4000400040004, 0x4000400040004, 0, 0, 0x4000400040004,
                                      0x4000400040004, 0, 0);
    const B both = _mm512_srlv_epi16(_mm512_shuffle_i64x2(qs, qs, 0x50), shifts);
    return _mm512_and_si512(both, _mm512_set1_epi8(15));
  }
  static G3N_INLINE F ScalesIQ4_XS(const BlockIQ4_XS& b) {
    const __m128i scales = _mm_cvtsi64_si128(static_cast<int64_t>(UnpackScales(b)));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scales)),
                         _mm512_set1_ps(HalfAt(b.d)));
  }
  static G3N_INLINE B LookUp(B indices, const uint8_t* levels) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(Load16(levels)), indices);
  }

  // Packing x.
  static G3N_INLINE uint32_t MaxMagnitude32(const float* x) {
    const I magnitude = _mm512_set1_epi32(INT32_MAX);
    return _mm512_reduce_max_epu32(
        _mm512_max_epu32(_mm512_and_si512(_mm512_loadu_si512(x), magnitude),
                         _mm512_and_si512(_mm512_loadu_si512(x + 16), magnitude)));
  }
  static G3N_INLINE void Planes16(const float* x, float inverse, std::byte* hi, std::byte* lo) {
    const I q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(inverse)));
    const I high = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(64)), 7);
    Store16(hi, _mm512_cvtepi32_epi8(high));
    Store16(lo, _mm512_cvtepi32_epi8(_mm512_sub_epi32(q, _mm512_slli_epi32(high, 7))));
  }
  static G3N_INLINE void ZeroPlanes16(std::byte* hi, std::byte* lo) {
    Store16(hi, _mm_setzero_si128());
    Store16(lo, _mm_setzero_si128());
  }
  static G3N_INLINE void StoreStart(std::byte* p, const std::byte* hi, const std::byte* lo,
                                    int vectors) {
    I high = _mm512_setzero_si512(), low = _mm512_setzero_si512();
    for (int i = 0; i < vectors; ++i) {
      high = _mm512_add_epi32(high, SumBytes(LoadBytes(hi + i * kBytes)));
      low = _mm512_add_epi32(low, SumBytes(LoadBytes(lo + i * kBytes)));
    }
    const I sum = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    _mm512_storeu_si512(p, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
  }

  static G3N_INLINE I SumPairs(__m512i v) { return _mm512_madd_epi16(v, _mm512_set1_epi16(1)); }

 private:
  // v | 32 bytes, twice, rotated to the left and masked: bits may go either way within their byte.
  static G3N_INLINE B OrRotated(B v, const uint8_t* p, int first, int second, int mask) {
    const I turns =
        _mm512_inserti64x4(_mm512_set1_epi32(first & 31), _mm256_set1_epi32(second & 31), 1);
    const B bits = _mm512_rolv_epi32(_mm512_broadcast_i64x4(Load32(p)), turns);
    return _mm512_ternarylogic_epi32(v, bits, _mm512_set1_epi8(static_cast<char>(mask)), 0xf8);
  }
  static G3N_INLINE I SumBytes(B v) {
    return SumPairs(_mm512_maddubs_epi16(_mm512_set1_epi8(1), v));
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
  static G3N_INLINE float HalfAt(const uint8_t* p) { return _cvtsh_ss(LoadU16(p)); }
};

}  // namespace gemma3n::avx512
