// int8 by SMMLA: two rows of activations x two of W x eight columns at a time.
#include "kernels/simd/packed.h"
#include "kernels/neon/matrix_tile.h"
#include "kernels/neon/packed_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neoni8mm {
namespace {

struct Lanes : neon::PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  using Acc = int32x4_t;
  static constexpr bool kInteger = true;

  static G3N_INLINE Acc Zero() { return vdupq_n_s32(0); }
  static G3N_INLINE Acc Load(const int32_t* sums) { return vld1q_s32(sums); }
  static G3N_INLINE void Store(int32_t* sums, Acc acc) { vst1q_s32(sums, acc); }
  static G3N_INLINE Acc Low(Acc a, Acc b) { return vcombine_s32(vget_low_s32(a), vget_low_s32(b)); }
  static G3N_INLINE Acc High(Acc a, Acc b) {
    return vcombine_s32(vget_high_s32(a), vget_high_s32(b));
  }
  static G3N_INLINE Acc Dot(Acc acc, uint64x2_t x, uint64x2_t w) {
    return vmmlaq_s32(acc, vreinterpretq_s8_u64(x), vreinterpretq_s8_u64(w));
  }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, neon::MatrixDot<Int8>>};

}  // namespace gemma3n::neoni8mm
