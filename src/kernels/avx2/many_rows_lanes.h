// Eight lanes for kernels/simd/many_rows_int8.h, for AVX2 with and without VNNI: everything is
// compiled into its caller. What is missing here is how bytes are multiplied.
#pragma once

#include "kernels/avx2/many_rows_bytes.h"
#include "kernels/avx2/packed_lanes.h"

namespace gemma3n::avx2 {

struct ManyRowsLanes : PackedLanes, ManyRowsBytes {
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static G3N_INLINE __m256i LoadBytes(const void* p) {
    return _mm256_load_si256(static_cast<const __m256i*>(p));
  }
  static G3N_INLINE void StoreBytes(void* p, __m256i v) {
    _mm256_store_si256(static_cast<__m256i*>(p), v);
  }
  static G3N_INLINE __m256i Broadcast(const uint8_t* block, int column) {
    return _mm256_broadcastd_epi32(_mm_loadu_si32(block + column));
  }
  static G3N_INLINE void Transpose(const void* rows, int64_t stride, void* out) {
    const auto* in = static_cast<const __m128i*>(rows);
    auto* to = static_cast<__m256i*>(out);
    G3N_UNROLL
    for (int half = 0; half < 2; ++half, ++in, to += 4) {
      const auto pair = [&](int row) G3N_LAMBDA {
        const auto* p = in + row * stride / 4;
        return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_load_si128(p)),
                                       _mm_load_si128(p + stride), 1);
      };
      const __m256i a = pair(0), b = pair(1), c = pair(2), d = pair(3);
      const __m256i ab = _mm256_unpacklo_epi32(a, b), cd = _mm256_unpacklo_epi32(c, d);
      const __m256i ab2 = _mm256_unpackhi_epi32(a, b), cd2 = _mm256_unpackhi_epi32(c, d);
      StoreBytes(to, _mm256_unpacklo_epi64(ab, cd));
      StoreBytes(to + 1, _mm256_unpackhi_epi64(ab, cd));
      StoreBytes(to + 2, _mm256_unpacklo_epi64(ab2, cd2));
      StoreBytes(to + 3, _mm256_unpackhi_epi64(ab2, cd2));
    }
  }
  static G3N_INLINE __m256i LookUp(__m256i v, const int8_t* levels) {
    const auto* p = reinterpret_cast<const __m128i*>(levels);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(p)), v);
  }
};

}  // namespace gemma3n::avx2
