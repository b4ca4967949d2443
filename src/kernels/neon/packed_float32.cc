// float32 by fused multiply-adds, each lane a row of W.
#include "kernels/neon/lane_tile.h"
#include "kernels/neon/packed_lanes.h"
#include "kernels/neon/table.h"
#include "kernels/simd/packed.h"

namespace gemma3n::neon {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct Float32 {
  using Sum = float;
  using Acc = float32x4_t;
  using W = float32x4_t;
  using X = float32x4_t;
  static constexpr bool kInteger = false;

  static G3N_INLINE Acc Start(const float*, const int32_t*) { return vdupq_n_f32(0); }
  static G3N_INLINE void Finish(Acc slab, float* sums, bool first) {
    vst1q_f32(sums, first ? slab : vaddq_f32(vld1q_f32(sums), slab));
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    return vld1q_f32(reinterpret_cast<const float*>(p));
  }
  static G3N_INLINE X Activations(const std::byte* p) { return Weights(p); }
  template <int kGroup>
  static G3N_INLINE Acc Dot(Acc acc, W w, X x) {
    return vfmaq_laneq_f32(acc, w, x, kGroup);
  }
};

}  // namespace

constinit const PackedKernels kFloat32 = {16, 0, simd::PackFloat32<Lanes>,
                                          simd::MultiplyFloat32<Lanes, LaneDot<Float32>>};

}  // namespace gemma3n::neon
