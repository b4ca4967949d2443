// float32 by fused multiply-adds, each lane a row of W.
#include "kernels/avx2/packed_lanes.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/packed.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx2 {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct Float32 {
  using Sum = float;
  using Acc = __m256;
  using W = __m256;
  static constexpr bool kInteger = false;
  static constexpr int kRows = 4, kVectors = 2, kLanes = 8;

  static G3N_INLINE __m256 Start(const float*, const int32_t*) { return _mm256_setzero_ps(); }
  static G3N_INLINE void Finish(__m256 slab, float* sums, bool first) {
    _mm256_storeu_ps(sums, first ? slab : _mm256_add_ps(_mm256_loadu_ps(sums), slab));
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE __m256 Group(const std::byte* p) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE __m256 Dot(__m256 acc, W w, __m256 x) { return _mm256_fmadd_ps(w, x, acc); }
};

}  // namespace

constinit const PackedKernels kFloat32 = {16, 0, simd::PackFloat32<Lanes>,
                                          simd::MultiplyFloat32<Lanes, simd::VectorDot<Float32>>};

}  // namespace gemma3n::avx2
