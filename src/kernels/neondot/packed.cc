// int8 by SDOT: four products of signed bytes at a time.
#include "kernels/simd/packed.h"
#include "kernels/neon/lane_tile.h"
#include "kernels/neon/packed_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neondot {
namespace {

struct Lanes : neon::PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  using Acc = int32x4_t;
  using W = int8x16_t;
  using X = int8x16_t;
  static constexpr bool kInteger = true;

  static G3N_INLINE Acc Start(const int32_t* sums, const int32_t* starts) {
    return starts == nullptr ? vld1q_s32(sums) : vdupq_n_s32(0);
  }
  static G3N_INLINE void Finish(Acc acc, int32_t* sums, bool) { vst1q_s32(sums, acc); }
  static G3N_INLINE W Weights(const std::byte* p) {
    return vld1q_s8(reinterpret_cast<const int8_t*>(p));
  }
  static G3N_INLINE X Activations(const std::byte* p) { return Weights(p); }
  template <int kGroup>
  static G3N_INLINE Acc Dot(Acc acc, W w, X x) {
    return vdotq_laneq_s32(acc, w, x, kGroup);
  }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, neon::LaneDot<Int8>>};

}  // namespace gemma3n::neondot
