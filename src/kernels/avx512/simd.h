// Sixteen floats at a time: the vocabulary that the templates in kernels/simd/ are written in, for
// AVX-512 (F, BW, DQ, VL). Everything is inline and in this namespace alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/half.h"

namespace gemma3n::avx512 {

struct Simd {
  static constexpr int kLanes = 16;
  static constexpr int kTileTokens =
      6;  // 4 x 6 accumulators, 4 weights, 1 activation: 29 of 32 registers
  static constexpr int kFewTokens = 4;  // up to these many tokens, weights are decoded in registers
  static constexpr int kColumns =
      4;              // vectors of a value row that attention accumulates for 4 heads
  using F = __m512;   // 16 floats
  using I = __m512i;  // 16 int32
  using F4 = __m128;  // sums of four vectors

  static F Zero() { return _mm512_setzero_ps(); }
  static F Set1(float v) { return _mm512_set1_ps(v); }
  static F Load(const void* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, F v) { _mm512_storeu_ps(p, v); }
  // The first n (0 .. 16) lanes; the others read as 0 and are not touched in memory.
  static F LoadN(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(Mask(n), p); }
  static void StoreN(float* p, F v, int64_t n) { _mm512_mask_storeu_ps(p, Mask(n), v); }

  static F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F Div(F a, F b) { return _mm512_div_ps(a, b); }
  static F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }    // a b + c
  static F Fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b
  static F Max(F a, F b) { return _mm512_max_ps(a, b); }              // b where either is NaN
  static F Min(F a, F b) { return _mm512_min_ps(a, b); }              // b where either is NaN
  static F Abs(F v) { return _mm512_abs_ps(v); }
  static F CopySign(F magnitude, F sign) {
    const I mask = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(mask, _mm512_castps_si512(sign),
                                                         _mm512_castps_si512(magnitude),
                                                         0xca));  // mask ? sign : magnitude
  }
  static F Round(F v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F Scale2(F v, F n) { return _mm512_scalef_ps(v, n); }  // v 2^n, n whole
  // a < b ? yes : no (no where either is NaN)
  static F SelectLess(F a, F b, F yes, F no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
  }

  static float ReduceAdd(F v) { return _mm512_reduce_add_ps(v); }
  static float ReduceMax(F v) { return _mm512_reduce_max_ps(v); }
  // {sum a, sum b, sum c, sum d}, each in the same order.
  static F4 Reduce4(F a, F b, F c, F d) {
    const F ab = Add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));  // a b a b per quarter
    const F cd = Add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const F abcd = Add(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  }
  static F4 Load4(const float* p) { return _mm_loadu_ps(p); }
  static void Store4(float* p, F4 v) { _mm_storeu_ps(p, v); }
  static F4 Add4(F4 a, F4 b) { return _mm_add_ps(a, b); }

  // Sums in double: acc += v, acc += (v - mean)^2.
  struct Wide {
    __m512d low, high;
  };
  static Wide WideZero() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  static Wide WideSet1(double v) { return {_mm512_set1_pd(v), _mm512_set1_pd(v)}; }
  static Wide Widen(F v) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(v)),
            _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))};
  }
  static Wide WideAdd(Wide a, Wide b) {
    return {_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
  }
  static Wide WideSub(Wide a, Wide b) {
    return {_mm512_sub_pd(a.low, b.low), _mm512_sub_pd(a.high, b.high)};
  }
  static Wide WideFma(Wide a, Wide b, Wide c) {
    return {_mm512_fmadd_pd(a.low, b.low, c.low), _mm512_fmadd_pd(a.high, b.high, c.high)};
  }
  static double WideReduce(Wide v) { return _mm512_reduce_add_pd(_mm512_add_pd(v.low, v.high)); }

  // Stored formats. Integers of 8 or 16 bits widen to one int32 lane each.
  static I LoadU8(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I LoadI8(const int8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static F LoadHalf(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static void StoreHalf(void* p, F v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static F LoadBFloat16(const void* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p))), 16));
  }
  // A half in every lane. By way of memory: a load broadcasts for nothing, while the shuffle that
  // would do it is what decoding already has most of.
  static F BroadcastHalf(const void* p) {
    float value = _cvtsh_ss(LoadU16(p));
    asm("" : "+m"(value));
    return Set1(value);
  }
  static F ToFloat(I v) { return _mm512_cvtepi32_ps(v); }
  static I And(I v, int mask) { return _mm512_and_si512(v, _mm512_set1_epi32(mask)); }
  static I Or(I a, I b) { return _mm512_or_si512(a, b); }
  static I Shift(I v,
                 int left) {  // left, or right if negative; `left` is a constant after unrolling
    return left < 0 ? (I)((__v16su)v >> -left) : (I)((__v16su)v << left);
  }
  static I Sub(I v, int n) { return _mm512_sub_epi32(v, _mm512_set1_epi32(n)); }
  // v + 16 in the lanes whose bit is set; 16 bits at p.
  static I Add16WhereBit(I v, const uint8_t* p) {
    return _mm512_mask_add_epi32(v, _cvtu32_mask16(LoadU16(p)), v, _mm512_set1_epi32(16));
  }

  // The sixteen values that a four-bit level stands for; Level() looks at the low four bits of each
  // lane.
  struct Levels {
    F values;
  };
  static Levels Centered(F d, float zero) {
    return {Mul(d, Sub(Iota(), Set1(zero)))};
  }                                                               // d (q - zero)
  static Levels Affine(F d, F m) { return {Fma(d, Iota(), m)}; }  // d q + m
  static Levels Table(F d, const int8_t* values) { return {Mul(d, ToFloat(LoadI8(values)))}; }
  static F Level(const Levels& levels, I q) { return _mm512_permutexvar_ps(q, levels.values); }

  // out[i] = byte i of low, then of high, as float, times d, d, d, d, -m, -m, -m, -m and again;
  // `dm` points to the halves d and m. Through memory, as above.
  static void ScaleMins(uint64_t low, uint64_t high, const void* dm, float out[16]) {
    const I bytes =
        _mm512_cvtepu8_epi32(_mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low)));
    const __m128 halves = _mm_cvtph_ps(_mm_loadu_si32(dm));
    const __m128 factors =
        _mm_unpacklo_ps(halves, _mm_sub_ps(_mm_setzero_ps(), halves));  // d -d m -m
    const I pick = _mm512_setr_epi32(0, 0, 0, 0, 3, 3, 3, 3, 0, 0, 0, 0, 3, 3, 3, 3);
    Store(out, Mul(ToFloat(bytes), _mm512_permutexvar_ps(pick, _mm512_castps128_ps512(factors))));
    KeepInMemory(out);
  }
  static void KeepInMemory(float out[16]) { asm("" : "+m"(*reinterpret_cast<float(*)[16]>(out))); }

  // The lanes that are not zero, moved together, and their numbers from `first` on: whole vectors
  // are written. Returns how many.
  static int Compress(F v, uint8_t first, float* values, uint8_t* numbers) {
    const __mmask16 left = _mm512_cmp_ps_mask(v, Zero(), _CMP_NEQ_UQ);
    const I lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const I at =
        _mm512_maskz_compress_epi32(left, _mm512_add_epi32(lanes, _mm512_set1_epi32(first)));
    Store(values, _mm512_maskz_compress_ps(left, v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(numbers), _mm512_cvtepi32_epi8(at));
    return __builtin_popcount(_cvtmask16_u32(left));
  }

  static void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

 private:
  static __mmask16 Mask(int64_t n) { return _cvtu32_mask16((1u << n) - 1); }
  static F Iota() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
};

}  // namespace gemma3n::avx512
