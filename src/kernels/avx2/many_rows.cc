// Many rows by AVX2, whose products of bytes are added in pairs to int16, which must not saturate.
// A block's sums stay in int16: four or two columns of each lane, sixteen or eight of them.
#include "kernels/avx2/few_rows_lanes.h"
#include "kernels/avx2/many_rows_lanes.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/many_rows_int8.h"
#include "kernels/simd/sampled_int8.h"

namespace gemma3n::avx2 {
namespace {

// Added one after the other: the compiler would add in another order, and keep the products of a
// whole block for it in memory.
G3N_INLINE __m256i Add(__m256i acc, __m256i w, __m256i x) {
  acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(x, w));
  asm("" : "+x"(acc));
  return acc;
}
G3N_INLINE __m256i Minus16(__m256i acc) { return _mm256_sub_epi16(_mm256_setzero_si256(), acc); }

// A pair of products with an x of 0 .. 255 is at most 2 * 255 * 32. The sum of sixteen with x
// itself (eight where W goes by halves) is at most 16 * 127 * 16 or 8 * 127 * 32 = 32512; what is
// in between may wrap around.
struct NarrowDots : simd::Int8Dots {
  static constexpr int kRows[2] = {4, 4}, kVectors = 1;
  using Acc = __m256i;
  static G3N_INLINE Acc Zero() { return _mm256_setzero_si256(); }
  static G3N_INLINE Acc Minus(Acc acc) { return Minus16(acc); }
  static G3N_INLINE Acc LoadStart(const std::byte* p) { return ManyRowsLanes::LoadBytes(p); }
  static G3N_INLINE void StoreStart(std::byte* p, Acc acc) { ManyRowsLanes::StoreBytes(p, acc); }
  static G3N_INLINE __m256i Load(const uint8_t* q, int64_t) { return ManyRowsLanes::LoadBytes(q); }
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) { return Add(acc, w, x); }
  static G3N_INLINE __m256 Finish(Acc acc) {
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(acc, _mm256_set1_epi16(1)));
  }
};

// Bytes of W as 16 high + low: both are -8 .. 8.
struct WideDots : simd::Int8Dots {
  static constexpr int kRows[2] = {3, 3}, kVectors = 1;
  static constexpr int kPlanes = 2;
  struct Pair {
    __m256i low, high;
  };
  using Acc = Pair;
  static G3N_INLINE Acc Zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static G3N_INLINE Acc Minus(Acc acc) { return {Minus16(acc.low), Minus16(acc.high)}; }
  static G3N_INLINE Acc LoadStart(const std::byte* p) {
    return {ManyRowsLanes::LoadBytes(p), ManyRowsLanes::LoadBytes(p + 32)};
  }
  static G3N_INLINE void StoreStart(std::byte* p, Acc acc) {
    ManyRowsLanes::StoreBytes(p, acc.low);
    ManyRowsLanes::StoreBytes(p + 32, acc.high);
  }
  static G3N_INLINE void Split(uint8_t* q, int64_t plane) {
    const auto look = [](__m256i nibbles, __m128i levels) G3N_LAMBDA {
      return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(levels), nibbles);
    };
    const __m256i w = ManyRowsLanes::LoadBytes(q), low_nibbles = _mm256_set1_epi8(15);
    const __m256i low = _mm256_and_si256(w, low_nibbles);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(w, 4), low_nibbles);
    // A low nibble of 8 and more is negative, and the high one greater by 1.
    const __m256i carry = _mm256_and_si256(_mm256_srli_epi16(low, 3), _mm256_set1_epi8(1));
    ManyRowsLanes::StoreBytes(
        q, look(low, _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1)));
    ManyRowsLanes::StoreBytes(
        q + plane, _mm256_add_epi8(look(high, _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5,
                                                            -4, -3, -2, -1)),
                                   carry));
  }
  static G3N_INLINE Pair Load(const uint8_t* q, int64_t plane) {
    return {ManyRowsLanes::LoadBytes(q), ManyRowsLanes::LoadBytes(q + plane)};
  }
  static G3N_INLINE Acc Dot(Acc acc, Pair w, __m256i x) {
    return {Add(acc.low, w.low, x), Add(acc.high, w.high, x)};
  }
  static G3N_INLINE __m256 Finish(Acc acc) {
    return _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_madd_epi16(acc.low, _mm256_set1_epi16(1)),
                                               _mm256_madd_epi16(acc.high, _mm256_set1_epi16(16))));
  }
};

struct ManyRows : ManyRowsLanes {
  using Narrow = NarrowDots;
  using Wide = WideDots;
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels =
    simd::MakeManyRowsInt8<ManyRows, Simd>(&kManyRowsNibbles);
constinit const SampledKernels kSampledKernels = simd::MakeSampledInt8<ManyRows, FewRowsLanes>();

}  // namespace gemma3n::avx2
