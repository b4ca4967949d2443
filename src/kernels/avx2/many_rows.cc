// Many rows by AVX2, whose products of bytes are added in pairs to int16, which must not saturate.
#include "kernels/avx2/packed_lanes.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::avx2 {
namespace {

G3N_INLINE __m256 ToFloat(__m256i pairs, int32_t start) {
  const __m256i sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  return _mm256_cvtepi32_ps(_mm256_add_epi32(sums, _mm256_set1_epi32(start)));
}

// A block's sums of pairs are at most 8 * 2 * 15 * 127 = 30480.
struct NibbleDots {
  static constexpr int kOffset = 8, kStarts = 0;
  using Acc = __m256i;
  static G3N_INLINE Acc Start(int32_t) { return _mm256_setzero_si256(); }
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) {
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(w, x));
  }
  static G3N_INLINE __m256 Finish(Acc acc, int32_t start) { return ToFloat(acc, start); }
};

// |w| times x with w's sign: a pair's sum is at most 2 * 128 * 127 = 32512.
struct ByteDots {
  static constexpr int kOffset = 0, kStarts = 1;
  using Acc = __m256i;
  static G3N_INLINE Acc Start(int32_t) { return _mm256_setzero_si256(); }
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static G3N_INLINE __m256 Finish(Acc acc, int32_t) { return _mm256_cvtepi32_ps(acc); }
};

struct ManyRows : PackedLanes {
  static constexpr int kRows = 4, kVectors = 1;
  using Nibbles = NibbleDots;
  using Bytes = ByteDots;
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static G3N_INLINE __m256i LoadBytes(const uint8_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static G3N_INLINE __m256i Broadcast4(const int8_t* p) {
    return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows>();

}  // namespace gemma3n::avx2
