// Sixteen vectors of sixteen 4-byte values, transposed in registers.
#pragma once

#include <immintrin.h>

#include "kernels/simd/common.h"

namespace gemma3n::avx512 {

// v[i] lane j -> v[j] lane i.
static G3N_INLINE void Transpose16(__m512i (&v)[16]) {
  __m512i a[16];
  G3N_UNROLL
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  G3N_UNROLL
  for (int i = 0; i < 16; i += 4) {  // v[i + k]: column 4 l + k of four rows in quarter l
    v[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  G3N_UNROLL
  for (int k = 0; k < 4; ++k) {
    const __m512i low = _mm512_shuffle_i32x4(v[k], v[4 + k], 0x88);  // quarters 0 2 of both
    const __m512i high = _mm512_shuffle_i32x4(v[k], v[4 + k], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0x88);
    const __m512i high2 = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0xdd);
    a[k] = _mm512_shuffle_i32x4(low, low2, 0x88);
    a[4 + k] = _mm512_shuffle_i32x4(high, high2, 0x88);
    a[8 + k] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    a[12 + k] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
  G3N_UNROLL
  for (int i = 0; i < 16; ++i) v[i] = a[i];
}

}  // namespace gemma3n::avx512
