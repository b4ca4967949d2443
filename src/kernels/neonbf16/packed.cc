// bfloat16 by BFMMLA: two rows of activations x two of W x four columns at a time. Its sums are
// rounded to odd, and denormals count as zero, unless the processor was told otherwise.
#include "kernels/simd/packed.h"
#include "kernels/neon/matrix_tile.h"
#include "kernels/neon/packed_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neonbf16 {
namespace {

// A type of this file alone names its own templates. One instruction rounds.
struct Lanes : neon::PackedLanes {
  static G3N_INLINE void StoreBFloat16(uint16_t* p, F v) {
    vst1_u16(p, vreinterpret_u16_bf16(vcvt_bf16_f32(v)));
  }
  static G3N_INLINE void StoreSome(uint16_t* p, F v, int64_t n) {
    neon::PackedLanes::StoreSome(p, v, n);
  }
  static G3N_INLINE void StoreSome(float* p, F v, int64_t n) {
    neon::PackedLanes::StoreSome(p, v, n);
  }
};

struct BFloat16 {
  using Sum = float;
  using Acc = float32x4_t;
  static constexpr bool kInteger = false;

  static G3N_INLINE Acc Zero() { return vdupq_n_f32(0); }
  static G3N_INLINE Acc Load(const float* sums) { return vld1q_f32(sums); }
  static G3N_INLINE void Store(float* sums, Acc acc) { vst1q_f32(sums, acc); }
  static G3N_INLINE Acc Low(Acc a, Acc b) { return vcombine_f32(vget_low_f32(a), vget_low_f32(b)); }
  static G3N_INLINE Acc High(Acc a, Acc b) {
    return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
  }
  static G3N_INLINE Acc Dot(Acc acc, uint64x2_t x, uint64x2_t w) {
    return vbfmmlaq_f32(acc, vreinterpretq_bf16_u64(x), vreinterpretq_bf16_u64(w));
  }
};

}  // namespace

constinit const PackedKernels kBFloat16 = {32, 0, simd::PackBFloat16<Lanes>,
                                           simd::Multiply<Lanes, neon::MatrixDot<BFloat16>>};

}  // namespace gemma3n::neonbf16
