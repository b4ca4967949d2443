// Few rows by AVX-VNNI: unsigned bytes of W times signed bytes of x. Weights are shifted until
// their centre is 128, so that the chain of sums starts with 128 * start.
#include "kernels/simd/few_rows.h"

#include "kernels/avx2/few_rows_lanes.h"
#include "kernels/avx2/table.h"

namespace gemma3n::avxvnni {
namespace {

struct Lanes : avx2::FewRowsLanes {
  static constexpr int kNibbleShift = 4, kSextetShift = 2;
  static constexpr bool kSignedBytes = false;

  static G3N_INLINE B BytesQ8_0(const std::byte* p) {
    return _mm256_xor_si256(LoadQ8_0(p), _mm256_set1_epi8(-128));
  }
  static G3N_INLINE B BytesQ6_K(const BlockQ6_K& b, int u) {
    return SextetsQ6_K<kSextetShift>(b, u);
  }
  template <int kVectors, int kCentre, bool>
  static G3N_INLINE I Sum(const B (&w)[kVectors], const B (&hi)[kVectors], const B (&lo)[kVectors],
                          const std::byte* start) {
    static_assert(kCentre == 7 || kCentre < 0);
    I sum = kCentre < 0 ? _mm256_setzero_si256() : LoadInts(start);
    for (int i = 0; i < kVectors; ++i) sum = _mm256_dpbusd_avx_epi32(sum, w[i], hi[i]);
    sum = _mm256_slli_epi32(sum, 7);
    for (int i = 0; i < kVectors; ++i) sum = _mm256_dpbusd_avx_epi32(sum, w[i], lo[i]);
    return sum;
  }
  template <int kVectors>
  static G3N_INLINE I Accumulate(I sum, const B (&w)[kVectors], const B (&x)[kVectors]) {
    for (int i = 0; i < kVectors; ++i) sum = _mm256_dpbusd_avx_epi32(sum, w[i], x[i]);
    return sum;
  }
};

}  // namespace

constinit const FewRowsKernels kFewRows = simd::MakeFewRowsKernels<Lanes>();

}  // namespace gemma3n::avxvnni
