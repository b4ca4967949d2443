// int8 by AVX-VNNI: four products of an unsigned and a signed byte at a time. The activations are
// stored plus 128, and the sums start at what that adds, taken back.
#include "kernels/simd/packed.h"
#include "kernels/avx2/packed_lanes.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avxvnni {
namespace {

struct Lanes : avx2::PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  using Acc = __m256i;
  using W = __m256i;
  static constexpr bool kInteger = true;
  static constexpr int kRows = 4, kVectors = 2, kLanes = 8;

  static G3N_INLINE Acc Start(const int32_t* sums, const int32_t* starts) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(starts == nullptr ? sums : starts));
  }
  static G3N_INLINE void Finish(Acc acc, int32_t* sums, bool) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), acc);
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static G3N_INLINE __m256i Group(const std::byte* p) {
    return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
  }
  static G3N_INLINE Acc Dot(Acc acc, W w, __m256i x) { return _mm256_dpbusd_avx_epi32(acc, x, w); }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 128, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, simd::VectorDot<Int8>>};

}  // namespace gemma3n::avxvnni
