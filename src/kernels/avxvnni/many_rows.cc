// Many rows by AVX-VNNI.
#include "kernels/avx2/few_rows_lanes.h"
#include "kernels/avx2/many_rows_lanes.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/many_rows_int8.h"
#include "kernels/simd/sampled_int8.h"

namespace gemma3n::avxvnni {
namespace {

struct Dots : avx2::BiasedSums {
  static constexpr int kRows[2] = {3, 3}, kVectors = 2;  // 6 sums of a block, 6 of all blocks
  using Acc = __m256i;
  static G3N_INLINE Acc Zero() { return _mm256_setzero_si256(); }
  static G3N_INLINE Acc Minus(Acc acc) {
    return _mm256_sub_epi32(_mm256_set1_epi32(kBiasBits), acc);
  }
  static G3N_INLINE Acc LoadStart(const std::byte* p) { return avx2::ManyRowsLanes::LoadBytes(p); }
  static G3N_INLINE void StoreStart(std::byte* p, Acc acc) {
    avx2::ManyRowsLanes::StoreBytes(p, acc);
  }
  static G3N_INLINE __m256i Load(const uint8_t* q, int64_t) {
    return avx2::ManyRowsLanes::LoadBytes(q);
  }
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) {
    return _mm256_dpbusd_avx_epi32(acc, x, w);
  }
  static G3N_INLINE __m256 Biased(Acc acc) { return _mm256_castsi256_ps(acc); }
  static G3N_INLINE __m256 Finish(Acc acc) {
    return _mm256_sub_ps(Biased(acc), _mm256_set1_ps(kBias));
  }
};

struct ManyRows : avx2::ManyRowsLanes {
  using Narrow = Dots;
  using Wide = Dots;
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows, avx2::Simd>();
constinit const SampledKernels kSampledKernels =
    simd::MakeSampledInt8<ManyRows, avx2::FewRowsLanes>();

}  // namespace gemma3n::avxvnni
