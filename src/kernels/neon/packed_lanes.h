// Four lanes for kernels/simd/packed.h. Files of several instruction sets include this, so
// everything is compiled into its caller.
#pragma once

#include <arm_neon.h>

#include <cstddef>

#include "kernels/simd/common.h"

namespace gemma3n::neon {

struct PackedLanes {
  static constexpr int kLanes = 4;
  using F = float32x4_t;
  using I = uint32x4_t;

  static G3N_INLINE F Zero() { return vdupq_n_f32(0); }
  static G3N_INLINE F Set1(float v) { return vdupq_n_f32(v); }
  static G3N_INLINE F Mul(F a, F b) { return vmulq_f32(a, b); }
  static G3N_INLINE F Load(const float* p) { return vld1q_f32(p); }
  static G3N_INLINE F Load(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  template <typename T>
  static G3N_INLINE F LoadN(const T* p, int64_t n) {
    T some[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) some[i] = p[i];
    return Load(some);
  }
  static G3N_INLINE F ToFloat(const int32_t* p) { return vcvtq_f32_s32(vld1q_s32(p)); }
  static G3N_INLINE void Store(float* p, F v) { vst1q_f32(p, v); }
  static G3N_INLINE void StoreSome(float* p, F v, int64_t n) {
    if (n >= kLanes) return Store(p, v);
    float some[kLanes];
    Store(some, v);
    for (int64_t i = 0; i < n; ++i) p[i] = some[i];
  }
  // To nearest even; NaN stays a quiet NaN.
  static G3N_INLINE void StoreBFloat16(uint16_t* p, F v) {
    const I bits = vreinterpretq_u32_f32(v);
    const I odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const I rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const I quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16));
  }
  static G3N_INLINE void StoreSome(uint16_t* p, F v, int64_t n) {
    if (n >= kLanes) return StoreBFloat16(p, v);
    uint16_t some[kLanes];
    StoreBFloat16(some, v);
    for (int64_t i = 0; i < n; ++i) p[i] = some[i];
  }
  // Rounded to nearest even, every byte exchanged with `flip`.
  static G3N_INLINE void StoreInt8(std::byte* p, F v, uint8_t flip) {
    const int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(v));
    const uint8x8_t bytes = vreinterpret_u8_s8(vqmovn_s16(vcombine_s16(words, words)));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(veor_u8(bytes, vdup_n_u8(flip))), 0);
    __builtin_memcpy(p, &four, sizeof(four));
  }

  static G3N_INLINE I ZeroBits() { return vdupq_n_u32(0); }
  static G3N_INLINE I MaxMagnitude(I bits, F v) {
    return vmaxq_u32(bits, vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(INT32_MAX)));
  }
  static G3N_INLINE uint32_t ReduceMax(I bits) { return vmaxvq_u32(bits); }
};

}  // namespace gemma3n::neon
