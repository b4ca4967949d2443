// float32 by fused multiply-adds, each lane a row of W.
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/packed.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx512 {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct Float32 {
  using Sum = float;
  using Acc = __m512;
  using W = __m512;
  static constexpr bool kInteger = false;
  static constexpr int kRows = 8, kVectors = 2, kLanes = 16;

  static G3N_INLINE __m512 Start(const float*, const int32_t*) { return _mm512_setzero_ps(); }
  static G3N_INLINE void Finish(__m512 slab, float* sums, bool first) {
    _mm512_storeu_ps(sums, first ? slab : _mm512_add_ps(_mm512_loadu_ps(sums), slab));
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    return _mm512_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE __m512 Group(const std::byte* p) {
    return _mm512_set1_ps(*reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE __m512 Dot(__m512 acc, W w, __m512 x) { return _mm512_fmadd_ps(w, x, acc); }
};

}  // namespace

constinit const PackedKernels kFloat32 = {16, 0, simd::PackFloat32<Lanes>,
                                          simd::MultiplyFloat32<Lanes, simd::VectorDot<Float32>>};

}  // namespace gemma3n::avx512
