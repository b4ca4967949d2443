// Eight lanes for kernels/simd/many_rows_int8.h, for AVX2 with and without VNNI: everything is
// compiled into its caller. What is missing here is how bytes are multiplied.
#pragma once

#include "kernels/avx2/packed_lanes.h"

namespace gemma3n::avx2 {

struct ManyRowsLanes : PackedLanes {
  static constexpr uint8_t kFlip = 128;
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static G3N_INLINE __m256i LoadBytes(const void* p) {
    return _mm256_load_si256(static_cast<const __m256i*>(p));
  }
  static G3N_INLINE void StoreBytes(void* p, __m256i v) {
    _mm256_store_si256(static_cast<__m256i*>(p), v);
  }
  static G3N_INLINE __m256i Broadcast4(const uint8_t* p) {
    return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
  }
  static G3N_INLINE __m256i SubBytes(__m256i v, int8_t n) {
    return _mm256_sub_epi8(v, _mm256_set1_epi8(n));
  }
  static G3N_INLINE __m256i LookUp(__m256i v, const int8_t* levels) {
    const auto* p = reinterpret_cast<const __m128i*>(levels);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(p)), v);
  }
};

}  // namespace gemma3n::avx2
