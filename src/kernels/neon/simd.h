// Eight floats at a time, in two registers: the vocabulary that the templates in kernels/simd/ are
// written in, for NEON as every 64-bit ARM processor has it. Everything is inline and in this
// namespace alone.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "kernels/simd/common.h"

namespace gemma3n::neon {

// Two registers as one value.
template <class V>
struct Pair {
  V low, high;
};

struct Simd {
  static constexpr int kLanes = 8;
  static constexpr int kTileTokens = 3;  // 4 x 3 x 2 accumulators, 6 activations, 2 weights: all 32
  static constexpr int kFewTokens = 2;  // up to these many tokens, weights are decoded in registers
  static constexpr int kColumns =
      3;                        // vectors of a value row that attention accumulates for 4 heads
  using F = Pair<float32x4_t>;  // 8 floats
  using I = Pair<int32x4_t>;    // 8 int32
  using F4 = float32x4_t;       // sums of four vectors

  static F Zero() { return Set1(0); }
  static F Set1(float v) { return {vdupq_n_f32(v), vdupq_n_f32(v)}; }
  static F Load(const void* p) {
    const auto* f = static_cast<const float*>(p);
    return {vld1q_f32(f), vld1q_f32(f + 4)};
  }
  static void Store(float* p, F v) {
    vst1q_f32(p, v.low);
    vst1q_f32(p + 4, v.high);
  }
  // The first n (0 .. 8) lanes; the others read as 0 and are not touched in memory.
  static F LoadN(const float* p, int64_t n) {
    if (n < 4) return {LoadUpTo3(p, n), vdupq_n_f32(0)};
    return {vld1q_f32(p), n < 8 ? LoadUpTo3(p + 4, n - 4) : vld1q_f32(p + 4)};
  }
  static void StoreN(float* p, F v, int64_t n) {
    if (n < 4) return StoreUpTo3(p, v.low, n);
    vst1q_f32(p, v.low);
    n < 8 ? StoreUpTo3(p + 4, v.high, n - 4) : vst1q_f32(p + 4, v.high);
  }

  static F Add(F a, F b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
  static F Sub(F a, F b) { return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
  static F Mul(F a, F b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
  static F Div(F a, F b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
  static F Fma(F a, F b, F c) {  // a b + c
    return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
  }
  static F Fnma(F a, F b, F c) {  // c - a b
    return {vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
  }
  // By comparison: the instruction would give NaN where either is.
  static F Max(F a, F b) { return SelectLess(b, a, a, b); }  // b where either is NaN
  static F Min(F a, F b) { return SelectLess(a, b, a, b); }  // b where either is NaN
  static F Abs(F v) { return {vabsq_f32(v.low), vabsq_f32(v.high)}; }
  static F CopySign(F magnitude, F sign) {
    const uint32x4_t bit = vdupq_n_u32(0x80000000);
    return {vbslq_f32(bit, sign.low, magnitude.low), vbslq_f32(bit, sign.high, magnitude.high)};
  }
  static F Round(F v) { return {vrndnq_f32(v.low), vrndnq_f32(v.high)}; }
  // v 2^n, n whole, |n| < 252: two factors, so that results beyond float's normal range come out
  // right.
  static F Scale2(F v, F n) { return {Scale2(v.low, n.low), Scale2(v.high, n.high)}; }
  // a < b ? yes : no (no where either is NaN)
  static F SelectLess(F a, F b, F yes, F no) {
    return {vbslq_f32(vcltq_f32(a.low, b.low), yes.low, no.low),
            vbslq_f32(vcltq_f32(a.high, b.high), yes.high, no.high)};
  }

  static float ReduceAdd(F v) {
    const float32x4_t q = vaddq_f32(v.low, v.high);
    return vpadds_f32(vadd_f32(vget_low_f32(q), vget_high_f32(q)));
  }
  static float ReduceMax(F v) {
    const F half = Max({v.low, v.low}, {v.high, v.high});
    float lanes[4], max;
    vst1q_f32(lanes, half.low);
    max = lanes[0];
    for (int i = 1; i < 4; ++i) max = lanes[i] > max ? lanes[i] : max;
    return max;
  }
  // {sum a, sum b, sum c, sum d}, each in the same order.
  static F4 Reduce4(F a, F b, F c, F d) {
    const float32x4_t ab = vpaddq_f32(vaddq_f32(a.low, a.high), vaddq_f32(b.low, b.high));
    const float32x4_t cd = vpaddq_f32(vaddq_f32(c.low, c.high), vaddq_f32(d.low, d.high));
    return vpaddq_f32(ab, cd);
  }
  static F4 Load4(const float* p) { return vld1q_f32(p); }
  static void Store4(float* p, F4 v) { vst1q_f32(p, v); }
  static F4 Add4(F4 a, F4 b) { return vaddq_f32(a, b); }

  // Sums in double.
  struct Wide {
    float64x2_t a, b, c, d;
  };
  static Wide WideZero() { return WideSet1(0); }
  static Wide WideSet1(double v) {
    const float64x2_t q = vdupq_n_f64(v);
    return {q, q, q, q};
  }
  static Wide Widen(F v) {
    return {vcvt_f64_f32(vget_low_f32(v.low)), vcvt_high_f64_f32(v.low),
            vcvt_f64_f32(vget_low_f32(v.high)), vcvt_high_f64_f32(v.high)};
  }
  static Wide WideAdd(Wide x, Wide y) {
    return {vaddq_f64(x.a, y.a), vaddq_f64(x.b, y.b), vaddq_f64(x.c, y.c), vaddq_f64(x.d, y.d)};
  }
  static Wide WideSub(Wide x, Wide y) {
    return {vsubq_f64(x.a, y.a), vsubq_f64(x.b, y.b), vsubq_f64(x.c, y.c), vsubq_f64(x.d, y.d)};
  }
  static Wide WideFma(Wide x, Wide y, Wide z) {
    return {vfmaq_f64(z.a, x.a, y.a), vfmaq_f64(z.b, x.b, y.b), vfmaq_f64(z.c, x.c, y.c),
            vfmaq_f64(z.d, x.d, y.d)};
  }
  static double WideReduce(Wide v) {
    return vpaddd_f64(vaddq_f64(vaddq_f64(v.a, v.c), vaddq_f64(v.b, v.d)));
  }

  // Stored formats. Integers of 8 or 16 bits widen to one int32 lane each.
  static I LoadU8(const uint8_t* p) {
    const uint16x8_t words = vmovl_u8(vld1_u8(p));
    return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words))),
            vreinterpretq_s32_u32(vmovl_high_u16(words))};
  }
  static I LoadI8(const int8_t* p) {
    const int16x8_t words = vmovl_s8(vld1_s8(p));
    return {vmovl_s16(vget_low_s16(words)), vmovl_high_s16(words)};
  }
  static F LoadHalf(const void* p) {
    const float16x8_t halves =
        vreinterpretq_f16_u8(vld1q_u8(static_cast<const uint8_t*>(p)));  // p may be odd
    return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
  }
  static void StoreHalf(void* p, F v) {
    const float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(v.low), v.high);
    vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_f16(halves));
  }
  static F LoadBFloat16(const void* p) {
    const uint16x8_t words = vreinterpretq_u16_u8(vld1q_u8(static_cast<const uint8_t*>(p)));
    return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(words), 16)),
            vreinterpretq_f32_u32(vshll_high_n_u16(words, 16))};
  }
  static F BroadcastHalf(const void* p) {
    uint16_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    const float32x4_t q = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits)));
    return {q, q};
  }
  static F ToFloat(I v) { return {vcvtq_f32_s32(v.low), vcvtq_f32_s32(v.high)}; }
  static I And(I v, int mask) {
    const int32x4_t q = vdupq_n_s32(mask);
    return {vandq_s32(v.low, q), vandq_s32(v.high, q)};
  }
  static I Or(I a, I b) { return {vorrq_s32(a.low, b.low), vorrq_s32(a.high, b.high)}; }
  static I Shift(I v, int left) {  // left, or right if negative; a constant after unrolling
    return {Shift(v.low, left), Shift(v.high, left)};
  }
  static I Sub(I v, int n) {
    const int32x4_t q = vdupq_n_s32(n);
    return {vsubq_s32(v.low, q), vsubq_s32(v.high, q)};
  }
  // v + 16 in the lanes whose bit is set; 8 bits at p.
  static I Add16WhereBit(I v, const uint8_t* p) {
    const uint32x4_t bits = vdupq_n_u32(*p);
    const uint32x4_t low = {1, 2, 4, 8}, high = {16, 32, 64, 128};
    const uint32x4_t sixteen = vdupq_n_u32(16);
    return {vaddq_s32(v.low, vreinterpretq_s32_u32(vandq_u32(vtstq_u32(bits, low), sixteen))),
            vaddq_s32(v.high, vreinterpretq_s32_u32(vandq_u32(vtstq_u32(bits, high), sixteen)))};
  }

  // What a four-bit level stands for; Level() looks at the low four bits of each lane.
  struct CenteredLevels {
    F d;
    float zero;
  };
  struct AffineLevels {
    F d, m;
  };
  struct TableLevels {
    F d;
    int8x16_t table;
  };
  static CenteredLevels Centered(F d, float zero) { return {d, zero}; }  // d (q - zero)
  static AffineLevels Affine(F d, F m) { return {d, m}; }                // d q + m
  static TableLevels Table(F d, const int8_t* values) { return {d, vld1q_s8(values)}; }
  static F Level(const CenteredLevels& l, I q) {
    return Mul(l.d, Sub(ToFloat(And(q, 15)), Set1(l.zero)));
  }
  static F Level(const AffineLevels& l, I q) { return Fma(l.d, ToFloat(And(q, 15)), l.m); }
  static F Level(const TableLevels& l, I q) {
    q = And(q, 15);
    return Mul(l.d, ToFloat({LookUp(l.table, q.low), LookUp(l.table, q.high)}));
  }

  // out[i] = byte i of low, then of high, as float, times d, d, d, d, -m, -m, -m, -m and again;
  // `dm` points to the halves d and m.
  static void ScaleMins(uint64_t low, uint64_t high, const void* dm, float out[16]) {
    const F d = BroadcastHalf(dm), m = BroadcastHalf(static_cast<const uint8_t*>(dm) + 2);
    const F factors = {d.low, vsubq_f32(vdupq_n_f32(0), m.low)};
    uint8_t bytes[16];
    __builtin_memcpy(bytes, &low, 8);
    __builtin_memcpy(bytes + 8, &high, 8);
    Store(out, Mul(ToFloat(LoadU8(bytes)), factors));
    Store(out + 8, Mul(ToFloat(LoadU8(bytes + 8)), factors));
    KeepInMemory(out);
  }
  // A load broadcasts for nothing, so that values which each lane needs are best read from there.
  static void KeepInMemory(float out[16]) { asm("" : "+m"(*reinterpret_cast<float(*)[16]>(out))); }

  // The lanes that are not zero, moved together, and their numbers from `first` on: whole vectors
  // are written. Returns how many.
  static int Compress(F v, uint8_t first, float* values, uint8_t* numbers) {
    float lanes[kLanes];
    Store(lanes, v);
    int count = 0;
    for (uint8_t i = 0; i < kLanes; ++i) {
      values[count] = lanes[i];
      numbers[count] = static_cast<uint8_t>(first + i);
      count += lanes[i] != 0 ? 1 : 0;
    }
    return count;
  }

  static void Prefetch(const void* p) { __builtin_prefetch(p); }

 private:
  static float32x4_t LoadUpTo3(const float* p, int64_t n) {
    float32x4_t v = vdupq_n_f32(0);
    if (n <= 0) return v;
    v = n == 1 ? vld1q_lane_f32(p, v, 0) : vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    return n == 3 ? vld1q_lane_f32(p + 2, v, 2) : v;
  }
  static void StoreUpTo3(float* p, float32x4_t v, int64_t n) {
    if (n >= 1) vst1q_lane_f32(p, v, 0);
    if (n >= 2) vst1q_lane_f32(p + 1, v, 1);
    if (n >= 3) vst1q_lane_f32(p + 2, v, 2);
  }
  static float32x4_t Scale2(float32x4_t v, float32x4_t n) {
    const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
    return vmulq_f32(vmulq_f32(v, Power2(half)), Power2(vsubq_s32(whole, half)));
  }
  static float32x4_t Power2(int32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
  }
  static int32x4_t Shift(int32x4_t v, int left) {
    const uint32x4_t bits = vreinterpretq_u32_s32(v);
    return vreinterpretq_s32_u32(left < 0 ? bits >> -left : bits << left);
  }
  // The table's entry for each lane, sign extended.
  static int32x4_t LookUp(int8x16_t table, int32x4_t q) {
    const int32x4_t found = vreinterpretq_s32_s8(vqtbl1q_s8(table, vreinterpretq_u8_s32(q)));
    return vshrq_n_s32(vshlq_n_s32(found, 24), 24);
  }
};

}  // namespace gemma3n::neon
