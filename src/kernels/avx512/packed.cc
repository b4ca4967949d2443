// int8 without VNNI: widened to int16, multiplied and added in pairs, exactly. Two accumulators
// hold sixteen rows of W, in each the halves of eight rows' sums side by side.
#include "kernels/simd/packed.h"
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/packed_tile.h"

namespace gemma3n::avx512 {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct Int8 {
  using Sum = int32_t;
  struct Acc {
    __m512i low, high;
  };
  using W = Acc;
  static constexpr bool kInteger = true;
  static constexpr int kRows = 4, kVectors = 2, kLanes = 16;

  static G3N_INLINE Acc Start(const int32_t* sums, const int32_t* starts) {
    const auto* p = reinterpret_cast<const __m256i*>(starts == nullptr ? sums : starts);
    return {_mm512_cvtepu32_epi64(_mm256_loadu_si256(p)),
            _mm512_cvtepu32_epi64(_mm256_loadu_si256(p + 1))};
  }
  static G3N_INLINE void Finish(Acc acc, int32_t* sums, bool) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_permutex2var_epi32(acc.low, even, acc.high),
                                               _mm512_permutex2var_epi32(acc.low, odd, acc.high)));
  }
  static G3N_INLINE W Weights(const std::byte* p) {
    const auto* q = reinterpret_cast<const __m256i*>(p);
    return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(q)),
            _mm512_cvtepi8_epi16(_mm256_loadu_si256(q + 1))};
  }
  static G3N_INLINE __m512i Group(const std::byte* p) {
    return _mm512_cvtepi8_epi16(_mm256_broadcastd_epi32(_mm_loadu_si32(p)));
  }
  static G3N_INLINE Acc Dot(Acc acc, W w, __m512i x) {
    return {_mm512_add_epi32(acc.low, _mm512_madd_epi16(w.low, x)),
            _mm512_add_epi32(acc.high, _mm512_madd_epi16(w.high, x))};
  }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, simd::VectorDot<Int8>>};

}  // namespace gemma3n::avx512
