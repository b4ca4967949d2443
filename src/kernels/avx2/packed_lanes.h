// Eight lanes for kernels/simd/packed.h. Files of several instruction sets include this, so
// everything is compiled into its caller.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/half.h"
#include "kernels/simd/common.h"

namespace gemma3n::avx2 {

struct PackedLanes {
  static constexpr int kLanes = 8;
  using F = __m256;
  using I = __m256i;

  static G3N_INLINE F Zero() { return _mm256_setzero_ps(); }
  static G3N_INLINE F Set1(float v) { return _mm256_set1_ps(v); }
  static G3N_INLINE F Mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static G3N_INLINE F Load(const float* p) { return _mm256_loadu_ps(p); }
  static G3N_INLINE F Load(const uint16_t* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
  }
  template <typename T>
  static G3N_INLINE F LoadN(const T* p, int64_t n) {
    T some[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) some[i] = p[i];
    return Load(some);
  }
  static G3N_INLINE F ToFloat(const int32_t* p) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static G3N_INLINE void Store(float* p, F v) { _mm256_storeu_ps(p, v); }
  static G3N_INLINE void StoreSome(float* p, F v, int64_t n) {
    if (n >= kLanes) return Store(p, v);
    float some[kLanes];
    Store(some, v);
    for (int64_t i = 0; i < n; ++i) p[i] = some[i];
  }
  // To nearest even; NaN stays a quiet NaN.
  static G3N_INLINE void StoreBFloat16(uint16_t* p, F v) {
    const I bits = _mm256_castps_si256(v);
    const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const I rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const I quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const I unordered = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const I kept = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, unordered), 16);
    const I packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(kept, kept), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  static G3N_INLINE void StoreSome(uint16_t* p, F v, int64_t n) {
    if (n >= kLanes) return StoreBFloat16(p, v);
    uint16_t some[kLanes];
    StoreBFloat16(some, v);
    for (int64_t i = 0; i < n; ++i) p[i] = some[i];
  }
  // Rounded to nearest even, every byte exchanged with `flip`.
  static G3N_INLINE void StoreInt8(std::byte* p, F v, uint8_t flip) {
    const I words = _mm256_cvtps_epi32(v);
    const __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    const __m128i bytes = _mm_packs_epi16(halves, halves);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p),
                     _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }

  static G3N_INLINE I ZeroBits() { return _mm256_setzero_si256(); }
  static G3N_INLINE I MaxMagnitude(I bits, F v) {
    return _mm256_max_epu32(bits,
                            _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MAX)));
  }
  static G3N_INLINE uint32_t ReduceMax(I bits) {
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    m = _mm_max_epu32(m, _mm_unpackhi_epi64(m, m));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
  }
};

}  // namespace gemma3n::avx2
