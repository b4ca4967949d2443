// bfloat16 by AVX512_BF16: two products at a time, the later column first. Denormals count as zero.
#include "kernels/simd/packed.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512bf16/packed_lanes.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx512bf16 {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct BFloat16 {
  using Sum = float;
  using Acc = __m512;
  using W = __m512i;
  static constexpr bool kInteger = false;
  static constexpr int kRows = 8, kVectors = 2, kLanes = 16;

  static G3N_INLINE Acc Start(const float* sums, const int32_t* starts) {
    return starts == nullptr ? _mm512_loadu_ps(sums) : _mm512_setzero_ps();
  }
  static G3N_INLINE void Finish(Acc acc, float* sums, bool) { _mm512_storeu_ps(sums, acc); }
  static G3N_INLINE W Weights(const std::byte* p) { return _mm512_loadu_si512(p); }
  static G3N_INLINE __m512i Group(const std::byte* p) {
    return _mm512_broadcastd_epi32(_mm_loadu_si32(p));
  }
  static G3N_INLINE Acc Dot(Acc acc, W w, __m512i x) {
    return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)x);
  }
};

}  // namespace

constinit const PackedKernels kBFloat16 = {32, 0, simd::PackBFloat16<Lanes>,
                                           simd::Multiply<Lanes, simd::VectorDot<BFloat16>>};

}  // namespace gemma3n::avx512bf16
