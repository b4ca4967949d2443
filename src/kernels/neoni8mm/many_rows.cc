// Many rows by SMMLA: two rows of x times two of W, eight columns at a time.
#include "kernels/neon/many_rows_lanes.h"
#include "kernels/neon/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::neoni8mm {
namespace {

struct Dots : neon::ByteDots {
  static constexpr int kRows[2] = {3, 2}, kVectors = 4;  // 12 sums of a block, 12 of all blocks
  static G3N_INLINE Acc Dot(Acc acc, int8x16_t w, int8x16_t x) { return vmmlaq_s32(acc, x, w); }
};

struct ManyRows : neon::ManyRowsLanes {
  static constexpr int kSides = 2, kStep = 8;
  using Narrow = Dots;
  using Wide = Dots;
  static G3N_INLINE int8x16_t Broadcast(const uint8_t* q, int column) {
    return LoadBytes(q + 2 * column);
  }
  static G3N_INLINE F Sides(const float* p) {
    const float32x2_t both = vld1_f32(p);
    return vcombine_f32(vdup_lane_f32(both, 0), vdup_lane_f32(both, 1));
  }
  static G3N_INLINE F Side(const float* p, int64_t side) {
    return vcombine_f32(vld1_f32(p + 2 * side), vld1_f32(p + 4 + 2 * side));
  }
  static G3N_INLINE int32_t SumBlock(const uint8_t* q) {
    int16x8_t sum = vdupq_n_s16(0);
    for (int i = 0; i < 64; i += 16) sum = vaddw_s8(sum, vreinterpret_s8_u8(vld1_u8(q + i)));
    return vaddlvq_s16(sum);
  }
  static G3N_INLINE void Transpose(const uint8_t* rows, int64_t stride, uint8_t* out) {
    const auto* in = reinterpret_cast<const uint64_t*>(rows);
    auto* to = reinterpret_cast<uint64_t*>(out);
    G3N_UNROLL
    for (int half = 0; half < 2; ++half, in += 2, to += 4)
      vst2q_u64(to, {{vld1q_u64(in), vld1q_u64(in + stride / 2)}});
  }
  static G3N_INLINE void Transpose(const float* rows, int64_t stride, float* out) {
    G3N_UNROLL
    for (int i = 0; i < 8; i += 4) {
      const float32x4_t a = vld1q_f32(rows + i), b = vld1q_f32(rows + stride + i);
      const float64x2_t low = vreinterpretq_f64_f32(vzip1q_f32(a, b));
      const float64x2_t high = vreinterpretq_f64_f32(vzip2q_f32(a, b));
      vst1q_f32(out + 4 * i, vreinterpretq_f32_f64(vdupq_laneq_f64(low, 0)));
      vst1q_f32(out + 4 * i + 4, vreinterpretq_f32_f64(vdupq_laneq_f64(low, 1)));
      vst1q_f32(out + 4 * i + 8, vreinterpretq_f32_f64(vdupq_laneq_f64(high, 0)));
      vst1q_f32(out + 4 * i + 12, vreinterpretq_f32_f64(vdupq_laneq_f64(high, 1)));
    }
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows>();

}  // namespace gemma3n::neoni8mm
