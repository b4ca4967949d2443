// What kernels/simd/many_rows_int8.h wants that is the same for every width of vectors. Everything
// is compiled into its caller.
#pragma once

#include <immintrin.h>

#include "kernels/half.h"
#include "kernels/simd/many_rows_blocks.h"

namespace gemma3n::avx2 {

// Sums below 2^22 that begin with the bits of 1.5 * 2^23 are those of floats, so much greater:
// where a conversion would take a multiplier's turn, there is none.
struct BiasedSums : simd::Int8Dots {
  static constexpr float kBias = 0x1.8p23f;
  static constexpr int32_t kBiasBits = 0x4b400000;
};

struct ManyRowsBytes {
  static constexpr uint8_t kFlip = 128;  // the first factor of an instruction is unsigned
  static constexpr int kSides = 1, kStep = 4, kCentre = 0;

  static G3N_INLINE float Half(const uint8_t* p) { return _cvtsh_ss(LoadU16(p)); }
  static G3N_INLINE void Scaled8(uint64_t bytes, float d, float* out) {
    const __m128i v = _mm_cvtsi64_si128(static_cast<int64_t>(bytes));
    const __m256 floats = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v));
    _mm256_storeu_ps(out, _mm256_mul_ps(floats, _mm256_set1_ps(d)));
  }
  static G3N_INLINE int32_t SumBlock(const uint8_t* q) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    const __m256i s = _mm256_sad_epu8(v, _mm256_setzero_si256());
    const __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    return _mm_cvtsi128_si32(pair) + _mm_extract_epi32(pair, 2) - 32 * kFlip;
  }
};

}  // namespace gemma3n::avx2
