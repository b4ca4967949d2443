// Many rows by AVX-VNNI.
#include "kernels/avx2/packed_lanes.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::avxvnni {
namespace {

template <int kTheOffset, int kTheStarts>
struct Dots {
  static constexpr int kOffset = kTheOffset, kStarts = kTheStarts;
  using Acc = __m256i;
  static G3N_INLINE Acc Start(int32_t start) { return _mm256_set1_epi32(start); }
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) {
    return _mm256_dpbusd_avx_epi32(acc, w, x);
  }
  static G3N_INLINE __m256 Finish(Acc acc, int32_t) { return _mm256_cvtepi32_ps(acc); }
};

struct ManyRows : avx2::PackedLanes {
  static constexpr int kRows = 3, kVectors = 2;  // 6 sums of a block, 6 of all blocks
  using Nibbles = Dots<8, 0>;
  using Bytes = Dots<128, 1>;
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

}  // namespace gemma3n::avxvnni
