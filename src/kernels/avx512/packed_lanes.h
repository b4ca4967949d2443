// Sixteen lanes for kernels/simd/packed.h. Files of several instruction sets include this, so
// everything is compiled into its caller.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/half.h"
#include "kernels/simd/common.h"

namespace gemma3n::avx512 {

struct PackedLanes {
  static constexpr int kLanes = 16;
  using F = __m512;
  using I = __m512i;

  static G3N_INLINE F Zero() { return _mm512_setzero_ps(); }
  static G3N_INLINE F Set1(float v) { return _mm512_set1_ps(v); }
  static G3N_INLINE F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static G3N_INLINE F Load(const float* p) { return _mm512_loadu_ps(p); }
  static G3N_INLINE F LoadN(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(Mask(n), p); }
  static G3N_INLINE F Load(const uint16_t* p) {
    return Widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static G3N_INLINE F LoadN(const uint16_t* p, int64_t n) {
    return Widen(_mm256_maskz_loadu_epi16(Mask(n), p));
  }
  static G3N_INLINE F ToFloat(const int32_t* p) {
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
  }
  static G3N_INLINE void Store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static G3N_INLINE void StoreSome(float* p, F v, int64_t n) {
    if (n >= kLanes) return Store(p, v);
    _mm512_mask_storeu_ps(p, Mask(n), v);
  }
  static G3N_INLINE void StoreBFloat16(uint16_t* p, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), Narrow(v));
  }
  static G3N_INLINE void StoreSome(uint16_t* p, F v, int64_t n) {
    if (n >= kLanes) return StoreBFloat16(p, v);
    _mm256_mask_storeu_epi16(p, Mask(n), Narrow(v));
  }
  // Rounded to nearest even, every byte exchanged with `flip`.
  static G3N_INLINE void StoreInt8(std::byte* p, F v, uint8_t flip) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }

  static G3N_INLINE I ZeroBits() { return _mm512_setzero_si512(); }
  static G3N_INLINE I MaxMagnitude(I bits, F v) {
    return _mm512_max_epu32(bits,
                            _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MAX)));
  }
  static G3N_INLINE uint32_t ReduceMax(I bits) { return _mm512_reduce_max_epu32(bits); }

 private:
  static G3N_INLINE __mmask16 Mask(int64_t n) { return _cvtu32_mask16((1u << n) - 1); }
  static G3N_INLINE F Widen(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
  }
  // To nearest even; NaN stays a quiet NaN.
  static G3N_INLINE __m256i Narrow(F v) {
    const I bits = _mm512_castps_si512(v);
    const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const I rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const I quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const I kept = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), rounded, quiet);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
  }
};

}  // namespace gemma3n::avx512
