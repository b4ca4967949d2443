// int8 by AVX-512 VNNI: four products of an unsigned and a signed byte at a time. The activations
// are stored plus 128, and the sums start at what that adds, taken back.
#include "kernels/simd/packed.h"
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx512vnni {
namespace {

struct Lanes : avx512::PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  using Acc = __m512i;
  using W = __m512i;
  static constexpr bool kInteger = true;
  static constexpr int kRows = 8, kVectors = 2, kLanes = 16;

  static G3N_INLINE Acc Start(const int32_t* sums, const int32_t* starts) {
    return _mm512_loadu_si512(starts == nullptr ? sums : starts);
  }
  static G3N_INLINE void Finish(Acc acc, int32_t* sums, bool) { _mm512_storeu_si512(sums, acc); }
  static G3N_INLINE W Weights(const std::byte* p) { return _mm512_loadu_si512(p); }
  static G3N_INLINE __m512i Group(const std::byte* p) {
    return _mm512_broadcastd_epi32(_mm_loadu_si32(p));
  }
  static G3N_INLINE Acc Dot(Acc acc, W w, __m512i x) { return _mm512_dpbusd_epi32(acc, x, w); }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 128, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, simd::VectorDot<Int8>>};

}  // namespace gemma3n::avx512vnni
