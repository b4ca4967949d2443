// Four lanes for kernels/simd/many_rows_int8.h: what the instruction sets have in common. All
// bytes are signed. Everything is compiled into its caller.
#pragma once

#include <arm_neon.h>

#include "kernels/neon/packed_lanes.h"
#include "kernels/simd/many_rows_blocks.h"

namespace gemma3n::neon {

// Zeros made anew, for a block's sums: as a constant they would take a register that sums of all
// blocks need.
static G3N_INLINE int32x4_t FreshZero() {
  int32x4_t zero;
  asm volatile("movi %0.4s, #0" : "=w"(zero));
  return zero;
}

struct ManyRowsLanes : PackedLanes {
  static constexpr uint8_t kFlip = 0;
  static constexpr int kCentre = 0;
  static G3N_INLINE F Fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static G3N_INLINE float Half(const uint8_t* p) {
    __fp16 half;
    __builtin_memcpy(&half, p, sizeof(half));
    return half;
  }
  static G3N_INLINE void Scaled8(uint64_t bytes, float d, float* out) {
    const int16x8_t words = vmovl_s8(vcreate_s8(bytes));
    vst1q_f32(out, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), d));
    vst1q_f32(out + 4, vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(words)), d));
  }
  static G3N_INLINE int8x16_t LoadBytes(const uint8_t* p) {
    return vreinterpretq_s8_u8(vld1q_u8(p));
  }
  static G3N_INLINE void StoreBytes(uint8_t* p, int8x16_t v) {
    vst1q_u8(p, vreinterpretq_u8_s8(v));
  }
  static G3N_INLINE int8x16_t LookUp(int8x16_t v, const int8_t* levels) {
    return vqtbl1q_s8(vld1q_s8(levels), vreinterpretq_u8_s8(v));
  }
};

// Products of bytes with bytes, whose sums of a block are whole numbers of 32 bits.
struct ByteDots : simd::Int8Dots {
  using Acc = int32x4_t;
  static G3N_INLINE Acc Zero() { return FreshZero(); }
  static G3N_INLINE int8x16_t Load(const uint8_t* q, int64_t) {
    return ManyRowsLanes::LoadBytes(q);
  }
  static G3N_INLINE float32x4_t Finish(Acc acc) { return vcvtq_f32_s32(acc); }
};

// Lanes are four rows of W.
struct FourRowsLanes : ManyRowsLanes {
  static constexpr int kSides = 1;
  static G3N_INLINE int32_t SumBlock(const uint8_t* q) {
    return vaddlvq_s16(vpadalq_s8(vpaddlq_s8(LoadBytes(q)), LoadBytes(q + 16)));
  }
  static G3N_INLINE void Transpose(const void* rows, int64_t stride, void* out) {
    const auto* in = static_cast<const uint32_t*>(rows);
    auto* to = static_cast<uint32_t*>(out);
    G3N_UNROLL
    for (int half = 0; half < 2; ++half, in += 4, to += 16) {
      vst4q_u32(to, {{vld1q_u32(in), vld1q_u32(in + stride), vld1q_u32(in + 2 * stride),
                      vld1q_u32(in + 3 * stride)}});
    }
  }
};

}  // namespace gemma3n::neon
