// Few rows without VNNI: products of bytes added up in pairs of 16 bits, which they never exceed.
#include "kernels/simd/few_rows.h"

#include "kernels/avx2/few_rows_lanes.h"
#include "kernels/avx2/table.h"

namespace gemma3n::avx2 {
namespace {

struct Lanes : FewRowsLanes {
  static constexpr int kNibbleShift = 0, kSextetShift = 0;
  static constexpr bool kSignedBytes = true;

  static G3N_INLINE B BytesQ8_0(const std::byte* p) { return LoadQ8_0(p); }
  static G3N_INLINE B BytesQ6_K(const BlockQ6_K& b, int u) {
    return SextetsQ6_K<kSextetShift>(b, u);
  }
  template <int kVectors, int kCentre, bool kSigned>
  static G3N_INLINE I Sum(const B (&w)[kVectors], const B (&hi)[kVectors], const B (&lo)[kVectors],
                          const std::byte* start) {
    const I high = Dot<kVectors, kSigned>(w, hi), low = Dot<kVectors, kSigned>(w, lo);
    const I sum = _mm256_add_epi32(_mm256_slli_epi32(high, 7), low);
    if constexpr (kCentre < 0) return sum;
    return _mm256_add_epi32(sum, _mm256_slli_epi32(LoadInts(start), kCentre < 0 ? 0 : kCentre));
  }
  // Sums of eight small levels times bytes fit 16 bits.
  template <int kVectors>
  static G3N_INLINE I Accumulate(I sum, const B (&w)[kVectors], const B (&x)[kVectors]) {
    return _mm256_add_epi32(sum, Dot<kVectors, false>(w, x));
  }

 private:
  template <int kVectors, bool kSigned>
  static G3N_INLINE I Dot(const B (&w)[kVectors], const B (&x)[kVectors]) {
    B pairs = Pairs<kSigned>(w[0], x[0]);
    if constexpr (kSigned && kVectors > 1) {  // two pairs of full bytes exceed 16 bits
      I sum = SumPairs(pairs);
      for (int i = 1; i < kVectors; ++i) {
        sum = _mm256_add_epi32(sum, SumPairs(Pairs<kSigned>(w[i], x[i])));
      }
      return sum;
    }
    for (int i = 1; i < kVectors; ++i) {
      pairs = _mm256_add_epi16(pairs, Pairs<kSigned>(w[i], x[i]));
    }
    return SumPairs(pairs);
  }
  template <bool kSigned>
  static G3N_INLINE B Pairs(B w, B x) {
    if constexpr (!kSigned) return _mm256_maddubs_epi16(w, x);
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));  // x is above -128
  }
};

}  // namespace

constinit const FewRowsKernels kFewRows = simd::MakeFewRowsKernels<Lanes>();

}  // namespace gemma3n::avx2
