// Many rows by AVX-512 VNNI.
#include "kernels/avx2/many_rows_bytes.h"
#include "kernels/avx512/few_rows_lanes.h"
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/many_rows_int8.h"
#include "kernels/simd/sampled_int8.h"

namespace gemma3n::avx512vnni {
namespace {

struct Dots : avx2::BiasedSums {
  static constexpr int kRows[2] = {6, 4}, kVectors = 2;  // 12 sums of a block, 12 of all blocks
  using Acc = __m512i;
  static G3N_INLINE Acc Zero() { return _mm512_setzero_si512(); }
  static G3N_INLINE Acc Minus(Acc acc) {
    return _mm512_sub_epi32(_mm512_set1_epi32(kBiasBits), acc);
  }
  static G3N_INLINE Acc LoadStart(const std::byte* p) { return _mm512_load_si512(p); }
  static G3N_INLINE void StoreStart(std::byte* p, Acc acc) { _mm512_store_si512(p, acc); }
  static G3N_INLINE __m512i Load(const uint8_t* q, int64_t) { return _mm512_load_si512(q); }
  static G3N_INLINE Acc Dot(Acc acc, __m512i w, __m512i x) {
    return _mm512_dpbusd_epi32(acc, x, w);
  }
  static G3N_INLINE __m512 Biased(Acc acc) { return _mm512_castsi512_ps(acc); }
  static G3N_INLINE __m512 Finish(Acc acc) {
    return _mm512_sub_ps(Biased(acc), _mm512_set1_ps(kBias));
  }
};

struct ManyRows : avx512::PackedLanes, avx2::ManyRowsBytes {
  using Narrow = Dots;
  using Wide = Dots;
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static G3N_INLINE __m512i LoadBytes(const uint8_t* p) { return _mm512_load_si512(p); }
  static G3N_INLINE void StoreBytes(uint8_t* p, __m512i v) { _mm512_store_si512(p, v); }
  static G3N_INLINE __m512i Broadcast(const uint8_t* block, int column) {
    return _mm512_broadcastd_epi32(_mm_loadu_si32(block + column));
  }
  static G3N_INLINE void Transpose(const void* rows, int64_t stride, void* out) {
    const auto* in = static_cast<const __m128i*>(rows);
    auto* to = static_cast<__m512i*>(out);
    G3N_UNROLL
    for (int half = 0; half < 2; ++half, ++in, to += 4) {
      const auto four = [&](int row) G3N_LAMBDA {
        const auto* p = in + row * stride / 4;
        __m512i v = _mm512_castsi128_si512(_mm_load_si128(p));
        v = _mm512_inserti32x4(v, _mm_load_si128(p + stride), 1);
        v = _mm512_inserti32x4(v, _mm_load_si128(p + 2 * stride), 2);
        return _mm512_inserti32x4(v, _mm_load_si128(p + 3 * stride), 3);
      };
      const __m512i a = four(0), b = four(1), c = four(2), d = four(3);
      const __m512i ab = _mm512_unpacklo_epi32(a, b), cd = _mm512_unpacklo_epi32(c, d);
      const __m512i ab2 = _mm512_unpackhi_epi32(a, b), cd2 = _mm512_unpackhi_epi32(c, d);
      _mm512_store_si512(to, _mm512_unpacklo_epi64(ab, cd));
      _mm512_store_si512(to + 1, _mm512_unpackhi_epi64(ab, cd));
      _mm512_store_si512(to + 2, _mm512_unpacklo_epi64(ab2, cd2));
      _mm512_store_si512(to + 3, _mm512_unpackhi_epi64(ab2, cd2));
    }
  }
  static G3N_INLINE __m512i LookUp(__m512i v, const int8_t* levels) {
    const auto* p = reinterpret_cast<const __m128i*>(levels);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(p)), v);
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows, avx512::Simd>();
constinit const SampledKernels kSampledKernels =
    simd::MakeSampledInt8<ManyRows, avx512::FewRowsLanes>();

}  // namespace gemma3n::avx512vnni
