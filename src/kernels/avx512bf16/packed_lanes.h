// AVX-512 lanes that round to bfloat16 in one instruction (denormals become zero).
#pragma once

#include "kernels/avx512/packed_lanes.h"

namespace gemma3n::avx512bf16 {

struct PackedLanes : avx512::PackedLanes {
  static G3N_INLINE void StoreBFloat16(uint16_t* p, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(v));
  }
};

}  // namespace gemma3n::avx512bf16
