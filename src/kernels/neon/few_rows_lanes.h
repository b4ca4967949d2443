// Eight lanes, in two registers, for kernels/simd/few_rows.h. Everything is compiled into its
// caller. What is missing here is how bytes are multiplied.
#pragma once

#include <arm_neon.h>

#include <cstddef>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"

namespace gemma3n::neon {

template <class V>
struct Two {
  V low, high;
};

struct FewRowsLanes {
  static constexpr int kBytes = 32, kSums = 8;
  using B = Two<uint8x16_t>;   // 32 bytes
  using I = Two<int32x4_t>;    // 8 int32
  using F = Two<float32x4_t>;  // 8 floats

  static G3N_INLINE F Zero() { return {vdupq_n_f32(0), vdupq_n_f32(0)}; }
  static G3N_INLINE I ZeroInts() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static G3N_INLINE B Or(B a, B b) {
    return {vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)};
  }
  static G3N_INLINE F Mul(F a, F b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
  static G3N_INLINE F Fma(F a, F b, F c) {
    return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
  }
  static G3N_INLINE F Fnma(F a, F b, F c) {
    return {vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
  }
  static G3N_INLINE F ToFloat(I v) { return {vcvtq_f32_s32(v.low), vcvtq_f32_s32(v.high)}; }
  static G3N_INLINE F LoadFloats(const std::byte* p) {
    const auto* f = reinterpret_cast<const float*>(p);
    return {vld1q_f32(f), vld1q_f32(f + 4)};
  }
  static G3N_INLINE void StoreFloats(std::byte* p, F v) {
    auto* f = reinterpret_cast<float*>(p);
    vst1q_f32(f, v.low);
    vst1q_f32(f + 4, v.high);
  }
  static G3N_INLINE I LoadInts(const std::byte* p) {
    const auto* i = reinterpret_cast<const int32_t*>(p);
    return {vld1q_s32(i), vld1q_s32(i + 4)};
  }
  static G3N_INLINE B LoadBytes(const std::byte* p) { return Load32(p); }
  static G3N_INLINE void Prefetch(const std::byte* p) { __builtin_prefetch(p); }
  // The sums of four vectors, each in the same order.
  static G3N_INLINE void Reduce4(F a, F b, F c, F d, float* sums) {
    const float32x4_t ab = vpaddq_f32(vaddq_f32(a.low, a.high), vaddq_f32(b.low, b.high));
    const float32x4_t cd = vpaddq_f32(vaddq_f32(c.low, c.high), vaddq_f32(d.low, d.high));
    vst1q_f32(sums, vpaddq_f32(ab, cd));
  }

  // Each byte's bits, shifted left by kLeft (right if negative), under a mask.
  template <int kLeft, int kMask>
  static G3N_INLINE B Field(B v) {
    return And(Shift(v, kLeft), kMask);
  }

  // The nibbles of two blocks, 16 bytes each, and their scales, four lanes each.
  static G3N_INLINE B NibblesQ4_0(const std::byte* p) { return {Load16(p + 2), Load16(p + 20)}; }
  static G3N_INLINE F ScalesQ4_0(const std::byte* p) { return {HalfAt(p), HalfAt(p + 18)}; }
  static G3N_INLINE B LoadQ8_0(const std::byte* p) { return Load32(p + 2); }
  static G3N_INLINE F ScalesQ8_0(const std::byte* p) { return {HalfAt(p), HalfAt(p)}; }

  // Sixteen scales. Pick<n>: scales first + 8 u / n ..., n lanes each.
  struct Scales {
    float values[16];
  };
  template <int kLanes>
  static G3N_INLINE F Pick(const Scales& scales, int first, int u) {
    const float* at = scales.values + first + 8 / kLanes * u;
    return {vdupq_n_f32(at[0]), vdupq_n_f32(at[kLanes == 4 ? 1 : 0])};
  }
  static G3N_INLINE Scales ScalesQ6_K(const BlockQ6_K& b) {
    Scales scales;
    const int8x16_t bytes = vld1q_s8(b.scales);
    const float32x4_t d = HalfAt(b.d);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    StoreScaled(scales.values, low, d);
    StoreScaled(scales.values + 8, high, d);
    return scales;
  }
  // d * scales, -dmin * mins.
  static G3N_INLINE Scales ScalesAndMins(uint64_t scales, uint64_t mins, const uint8_t* dm) {
    Scales both;
    StoreScaled(both.values, Words8(scales), HalfAt(dm));
    StoreScaled(both.values + 8, Words8(mins), vnegq_f32(HalfAt(dm + 2)));
    return both;
  }
  // Columns 32 u ... of a super-block, times 2^kShift.
  template <int kShift>
  static G3N_INLINE B SextetsQ6_K(const BlockQ6_K& b, int u) {
    const int k = u % 4;
    const B ql = Load32(b.ql + 64 * (u / 4) + 32 * (k % 2)), qh = Load32(b.qh + 32 * (u / 4));
    const B low = And(Shift(ql, kShift - 4 * (k / 2)), 15 << kShift);
    const B high = And(Shift(qh, 4 + kShift - 2 * k), 3 << (4 + kShift));
    return {vorrq_u8(low.low, high.low), vorrq_u8(low.high, high.high)};
  }
  template <class Block>
  static G3N_INLINE B SuperBytes(const Block& b, int u) {
    const B low = And(Shift(Load32(b.qs + 32 * (u / 2)), -4 * (u % 2)), 15);
    if constexpr (kHasFifthBits<Block>) {
      const B high = And(Shift(Load32(b.qh), 4 - u), 16);
      return {vorrq_u8(low.low, high.low), vorrq_u8(low.high, high.high)};
    }
    return low;
  }

  static G3N_INLINE B NibblesIQ4_XS(const BlockIQ4_XS& b, int u) {
    const uint8x16_t qs = Load16(b.qs + 16 * u);
    return {vandq_u8(qs, vdupq_n_u8(15)), vshrq_n_u8(qs, 4)};
  }
  static G3N_INLINE Scales ScalesIQ4_XS(const BlockIQ4_XS& b) {
    Scales scales = {};
    StoreScaled(scales.values, vmovl_s8(vcreate_s8(UnpackScales(b))), HalfAt(b.d));
    return scales;
  }
  static G3N_INLINE B LookUp(B indices, const uint8_t* levels) {
    const uint8x16_t table = Load16(levels);
    return {vqtbl1q_u8(table, indices.low), vqtbl1q_u8(table, indices.high)};
  }

  // Packing x.
  static G3N_INLINE uint32_t MaxMagnitude32(const float* x) {
    uint32x4_t most = vdupq_n_u32(0);
    for (int i = 0; i < 32; i += 4) {
      const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(x + i));
      most = vmaxq_u32(most, vandq_u32(bits, vdupq_n_u32(INT32_MAX)));
    }
    return vmaxvq_u32(most);
  }
  static G3N_INLINE void Planes16(const float* x, float inverse, std::byte* hi, std::byte* lo) {
    for (int i = 0; i < 16; i += 8) {
      const int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
      const int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
      const int32x4_t half = vdupq_n_s32(64);
      const int32x4_t ha = vshrq_n_s32(vaddq_s32(a, half), 7);
      const int32x4_t hb = vshrq_n_s32(vaddq_s32(b, half), 7);
      Store8(hi + i, ha, hb);
      Store8(lo + i, vsubq_s32(a, vshlq_n_s32(ha, 7)), vsubq_s32(b, vshlq_n_s32(hb, 7)));
    }
  }
  static G3N_INLINE void ZeroPlanes16(std::byte* hi, std::byte* lo) {
    vst1q_u8(reinterpret_cast<uint8_t*>(hi), vdupq_n_u8(0));
    vst1q_u8(reinterpret_cast<uint8_t*>(lo), vdupq_n_u8(0));
  }
  static G3N_INLINE void StoreStart(std::byte* p, const std::byte* hi, const std::byte* lo,
                                    int vectors) {
    auto* out = reinterpret_cast<int32_t*>(p);
    for (int half = 0; half < 2; ++half) {
      int32x4_t sum = vdupq_n_s32(0);
      for (int i = 0; i < vectors; ++i) {
        const int64_t at = i * kBytes + 16 * half;
        sum = vaddq_s32(sum, vaddq_s32(vshlq_n_s32(SumBytes(hi + at), 7), SumBytes(lo + at)));
      }
      vst1q_s32(out + 4 * half, vnegq_s32(sum));
    }
  }

 private:
  static G3N_INLINE uint8x16_t Load16(const void* p) {
    return vld1q_u8(static_cast<const uint8_t*>(p));
  }
  static G3N_INLINE B Load32(const void* p) {
    const auto* bytes = static_cast<const uint8_t*>(p);
    return {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
  }
  static G3N_INLINE B And(B v, int mask) {
    const uint8x16_t m = vdupq_n_u8(static_cast<uint8_t>(mask));
    return {vandq_u8(v.low, m), vandq_u8(v.high, m)};
  }
  static G3N_INLINE B Shift(B v, int left) {  // a constant after unrolling
    const int8x16_t by = vdupq_n_s8(static_cast<int8_t>(left));
    return {vshlq_u8(v.low, by), vshlq_u8(v.high, by)};
  }
  static G3N_INLINE float32x4_t HalfAt(const void* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(LoadU16(p))));
  }
  static G3N_INLINE int16x8_t Words8(uint64_t bytes) {
    return vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(bytes)));
  }
  static G3N_INLINE void StoreScaled(float* out, int16x8_t v, float32x4_t d) {
    vst1q_f32(out, vmulq_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(v))), d));
    vst1q_f32(out + 4, vmulq_f32(vcvtq_f32_s32(vmovl_high_s16(v)), d));
  }
  static G3N_INLINE void Store8(std::byte* p, int32x4_t a, int32x4_t b) {
    vst1_s8(reinterpret_cast<int8_t*>(p), vqmovn_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))));
  }
  static G3N_INLINE int32x4_t SumBytes(const std::byte* p) {
    return vpaddlq_s16(vpaddlq_s8(vld1q_s8(reinterpret_cast<const int8_t*>(p))));
  }
};

// M::Dot(sum, w, x): each lane of sum gains four products of signed bytes. M also names the file's
// own templates.
template <class M>
struct SignedFewRowsLanes : FewRowsLanes {
  static constexpr int kNibbleShift = 0, kSextetShift = 0;
  static constexpr bool kSignedBytes = true;

  static G3N_INLINE B BytesQ8_0(const std::byte* p) { return LoadQ8_0(p); }
  static G3N_INLINE B BytesQ6_K(const BlockQ6_K& b, int u) {
    return SextetsQ6_K<kSextetShift>(b, u);
  }
  template <int kVectors, int kCentre, bool>
  static G3N_INLINE I Sum(const B (&w)[kVectors], const B (&hi)[kVectors], const B (&lo)[kVectors],
                          const std::byte* start) {
    I sum = {vdupq_n_s32(0), vdupq_n_s32(0)};
    for (int i = 0; i < kVectors; ++i) sum = Both(sum, w[i], hi[i]);
    sum = {vshlq_n_s32(sum.low, 7), vshlq_n_s32(sum.high, 7)};
    for (int i = 0; i < kVectors; ++i) sum = Both(sum, w[i], lo[i]);
    if constexpr (kCentre >= 0) {
      const I s = LoadInts(start);
      sum = {vaddq_s32(sum.low, vshlq_n_s32(s.low, kCentre)),
             vaddq_s32(sum.high, vshlq_n_s32(s.high, kCentre))};
    }
    return sum;
  }
  template <int kVectors>
  static G3N_INLINE I Accumulate(I sum, const B (&w)[kVectors], const B (&x)[kVectors]) {
    for (int i = 0; i < kVectors; ++i) sum = Both(sum, w[i], x[i]);
    return sum;
  }

 private:
  static G3N_INLINE I Both(I sum, B w, B x) {
    return {
        M::Dot(sum.low, vreinterpretq_s8_u8(w.low), vreinterpretq_s8_u8(x.low)),
        M::Dot(sum.high, vreinterpretq_s8_u8(w.high), vreinterpretq_s8_u8(x.high)),
    };
  }
};

}  // namespace gemma3n::neon
