// Eight floats at a time: the vocabulary that the templates in kernels/simd/ are written in, for
// AVX2 with FMA and F16C. Everything is inline and in this namespace alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/half.h"

namespace gemma3n::avx2 {

// Of each mask of eight lanes the numbers of those that are set, ascending.
struct SetLanes {
  uint8_t of[256][8] = {};
  constexpr SetLanes() {
    for (int mask = 0; mask < 256; ++mask) {
      int count = 0;
      for (uint8_t lane = 0; lane < 8; ++lane) {
        if ((mask >> lane & 1) != 0) of[mask][count++] = lane;
      }
    }
  }
};
static constexpr SetLanes kSetLanes;

struct Simd {
  static constexpr int kLanes = 8;
  static constexpr int kTileTokens =
      3;                                // 4 x 3 accumulators, 3 activations, 1 weight: 16 registers
  static constexpr int kFewTokens = 2;  // up to these many tokens, weights are decoded in registers
  static constexpr int kColumns =
      3;              // vectors of a value row that attention accumulates for 4 heads
  using F = __m256;   // 8 floats
  using I = __m256i;  // 8 int32
  using F4 = __m128;  // sums of four vectors

  static F Zero() { return _mm256_setzero_ps(); }
  static F Set1(float v) { return _mm256_set1_ps(v); }
  static F Load(const void* p) { return _mm256_loadu_ps(static_cast<const float*>(p)); }
  static void Store(float* p, F v) { _mm256_storeu_ps(p, v); }
  // The first n (0 .. 8) lanes; the others read as 0 and are not touched in memory.
  static F LoadN(const float* p, int64_t n) { return _mm256_maskload_ps(p, Mask(n)); }
  static void StoreN(float* p, F v, int64_t n) { _mm256_maskstore_ps(p, Mask(n), v); }

  static F Add(F a, F b) { return _mm256_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F Div(F a, F b) { return _mm256_div_ps(a, b); }
  static F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }    // a b + c
  static F Fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a b
  static F Max(F a, F b) { return _mm256_max_ps(a, b); }              // b where either is NaN
  static F Min(F a, F b) { return _mm256_min_ps(a, b); }              // b where either is NaN
  static F Abs(F v) { return _mm256_andnot_ps(Set1(-0.0f), v); }
  static F CopySign(F magnitude, F sign) {
    return _mm256_or_ps(Abs(magnitude), _mm256_and_ps(Set1(-0.0f), sign));
  }
  static F Round(F v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // v 2^n, n whole, |n| < 252: two factors, so that results beyond float's normal range come out
  // right.
  static F Scale2(F v, F n) {
    const I whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return Mul(Mul(v, Power2(half)), Power2(_mm256_sub_epi32(whole, half)));
  }
  // a < b ? yes : no (no where either is NaN)
  static F SelectLess(F a, F b, F yes, F no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }

  static float ReduceAdd(F v) {
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
  }
  static float ReduceMax(F v) {
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
  }
  // {sum a, sum b, sum c, sum d}, each in the same order.
  static F4 Reduce4(F a, F b, F c, F d) {
    const F ab = Add(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));  // a b a b per half
    const F cd = Add(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    const F abcd = Add(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
  }
  static F4 Load4(const float* p) { return _mm_loadu_ps(p); }
  static void Store4(float* p, F4 v) { _mm_storeu_ps(p, v); }
  static F4 Add4(F4 a, F4 b) { return _mm_add_ps(a, b); }

  // Sums in double.
  struct Wide {
    __m256d low, high;
  };
  static Wide WideZero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  static Wide WideSet1(double v) { return {_mm256_set1_pd(v), _mm256_set1_pd(v)}; }
  static Wide Widen(F v) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
            _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
  }
  static Wide WideAdd(Wide a, Wide b) {
    return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
  }
  static Wide WideSub(Wide a, Wide b) {
    return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
  }
  static Wide WideFma(Wide a, Wide b, Wide c) {
    return {_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
  }
  static double WideReduce(Wide v) {
    const __m256d s = _mm256_add_pd(v.low, v.high);
    const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
  }

  // Stored formats. Integers of 8 or 16 bits widen to one int32 lane each.
  static I LoadU8(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadu_si64(p)); }
  static I LoadI8(const int8_t* p) { return _mm256_cvtepi8_epi32(_mm_loadu_si64(p)); }
  static F LoadHalf(const void* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static void StoreHalf(void* p, F v) {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static F LoadBFloat16(const void* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))), 16));
  }
  // A half in every lane. By way of memory: a load broadcasts for nothing, while the shuffle that
  // would do it is what decoding already has most of.
  static F BroadcastHalf(const void* p) {
    float value = _cvtsh_ss(LoadU16(p));
    asm("" : "+m"(value));
    return Set1(value);
  }
  static F ToFloat(I v) { return _mm256_cvtepi32_ps(v); }
  static I And(I v, int mask) { return _mm256_and_si256(v, _mm256_set1_epi32(mask)); }
  static I Or(I a, I b) { return _mm256_or_si256(a, b); }
  static I Shift(I v,
                 int left) {  // left, or right if negative; `left` is a constant after unrolling
    return left < 0 ? (I)((__v8su)v >> -left) : (I)((__v8su)v << left);
  }
  static I Sub(I v, int n) { return _mm256_sub_epi32(v, _mm256_set1_epi32(n)); }
  // v + 16 in the lanes whose bit is set; 8 bits at p.
  static I Add16WhereBit(I v, const uint8_t* p) {
    const I bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const I set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(*p), bit), bit);
    return _mm256_add_epi32(v, And(set, 16));
  }

  // What a four-bit level stands for; Level() looks at the low four bits of each lane.
  struct CenteredLevels {
    F d, zero;
  };
  struct AffineLevels {
    F d, m;
  };
  struct TableLevels {
    F d;
    I table;
  };
  static CenteredLevels Centered(F d, float zero) { return {d, Set1(zero)}; }  // d (q - zero)
  static AffineLevels Affine(F d, F m) { return {d, m}; }                      // d q + m
  static TableLevels Table(F d, const int8_t* values) {
    return {d,
            _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)))};
  }
  static F Level(const CenteredLevels& l, I q) {
    return Mul(l.d, Sub(ToFloat(And(q, 15)), l.zero));
  }
  static F Level(const AffineLevels& l, I q) { return Fma(l.d, ToFloat(And(q, 15)), l.m); }
  static F Level(const TableLevels& l, I q) {
    const I value = _mm256_shuffle_epi8(l.table, And(q, 15));
    return Mul(l.d, ToFloat(_mm256_srai_epi32(_mm256_slli_epi32(value, 24), 24)));
  }

  // out[i] = byte i of low, then of high, as float, times d, d, d, d, -m, -m, -m, -m and again;
  // `dm` points to the halves d and m. Through memory, as above.
  static void ScaleMins(uint64_t low, uint64_t high, const void* dm, float out[16]) {
    const __m128 halves = _mm_cvtph_ps(_mm_loadu_si32(dm));
    const __m128 d = _mm_shuffle_ps(halves, halves, 0x00), m = _mm_shuffle_ps(halves, halves, 0x55);
    const F factors = _mm256_set_m128(_mm_sub_ps(_mm_setzero_ps(), m), d);
    Store(out, Mul(ToFloat(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(low)))),
                   factors));
    Store(out + 8, Mul(ToFloat(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(high)))),
                       factors));
    KeepInMemory(out);
  }
  static void KeepInMemory(float out[16]) { asm("" : "+m"(*reinterpret_cast<float(*)[16]>(out))); }

  // The lanes that are not zero, moved together, and their numbers from `first` on: whole vectors
  // are written. Returns how many.
  static int Compress(F v, uint8_t first, float* values, uint8_t* numbers) {
    const auto left =
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, Zero(), _CMP_NEQ_UQ)));
    const __m128i lanes = _mm_loadu_si64(kSetLanes.of[left]);
    Store(values, _mm256_permutevar8x32_ps(v, _mm256_cvtepu8_epi32(lanes)));
    _mm_storeu_si64(numbers, _mm_add_epi8(lanes, _mm_set1_epi8(static_cast<char>(first))));
    return __builtin_popcount(left);
  }

  static void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

 private:
  static I Mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static F Power2(I n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
};

}  // namespace gemma3n::avx2
