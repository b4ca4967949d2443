// Many rows by AVX-512 VNNI.
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::avx512vnni {
namespace {

template <int kTheOffset, int kTheStarts>
struct Dots {
  static constexpr int kOffset = kTheOffset, kStarts = kTheStarts;
  using Acc = __m512i;
  static G3N_INLINE Acc Start(int32_t start) { return _mm512_set1_epi32(start); }
  static G3N_INLINE Acc Dot(Acc acc, __m512i w, __m512i x) {
    return _mm512_dpbusd_epi32(acc, w, x);
  }
  static G3N_INLINE __m512 Finish(Acc acc, int32_t) { return _mm512_cvtepi32_ps(acc); }
};

struct ManyRows : avx512::PackedLanes {
  static constexpr int kRows = 6, kVectors = 2;  // 12 sums of a block, 12 of all blocks
  using Nibbles = Dots<8, 0>;
  using Bytes = Dots<128, 1>;
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static G3N_INLINE __m512i LoadBytes(const uint8_t* p) { return _mm512_load_si512(p); }
  static G3N_INLINE __m512i Broadcast4(const int8_t* p) {
    return _mm512_broadcastd_epi32(_mm_loadu_si32(p));
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows>();

}  // namespace gemma3n::avx512vnni
