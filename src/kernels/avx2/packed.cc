// int8 without VNNI: widened to int16, multiplied and added in pairs, exactly. Two accumulators
// hold eight rows of W, in each the halves of four rows' sums side by side.
#include "kernels/simd/packed.h"
#include "kernels/avx2/packed_lanes.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx2 {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  struct Acc {
    __m256i low, high;
  };
  using W = Acc;
  static constexpr bool kInteger = true;
  static constexpr int kRows = 4, kVectors = 1, kLanes = 8;

  static G3N_INLINE Acc Start(const int32_t* sums, const int32_t* starts) {
    const auto* p = reinterpret_cast<const __m128i*>(starts == nullptr ? sums : starts);
    return {_mm256_cvtepu32_epi64(_mm_loadu_si128(p)),
            _mm256_cvtepu32_epi64(_mm_loadu_si128(p + 1))};
  }
  static G3N_INLINE void Finish(Acc acc, int32_t* sums, bool) {
    const __m256i pairs = _mm256_hadd_epi32(acc.low, acc.high);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm256_permute4x64_epi64(pairs, 0xd8));
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    const auto* q = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(q)), _mm256_cvtepi8_epi16(_mm_loadu_si128(q + 1))};
  }
  static G3N_INLINE __m256i Group(const std::byte* p) {
    return _mm256_cvtepi8_epi16(_mm_broadcastd_epi32(_mm_loadu_si32(p)));
  }
  static G3N_INLINE Acc Dot(Acc acc, W w, __m256i x) {
    return {_mm256_add_epi32(acc.low, _mm256_madd_epi16(w.low, x)),
            _mm256_add_epi32(acc.high, _mm256_madd_epi16(w.high, x))};
  }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, simd::VectorDot<Int8>>};

}  // namespace gemma3n::avx2
