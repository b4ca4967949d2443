// Many rows by AVX2 for weights of four bits, unsigned: with a signed x a block's sums need no
// start, and where a weight is eight more than it stands for, eight times the sum of x goes with
// what makes floats of the sums. That is an instruction less in twenty than many_rows.cc takes.
#include "kernels/avx2/many_rows_lanes.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::avx2 {
namespace {

// Sixteen products with integers up to 15 are added in int16: at most 16 * 127 * 15 = 30480.
template <bool kMoved>
struct NibbleDots : BiasedSums {
  static constexpr int kRows[2] = {3, 3}, kVectors = 2;
  static constexpr bool kCentred = kMoved, kFirst = true;
  using Acc = __m256i;
  static G3N_INLINE Acc Zero() { return _mm256_setzero_si256(); }
  static G3N_INLINE void Split(uint8_t* q, int64_t) {
    if constexpr (kMoved) {
      const __m256i centre = _mm256_set1_epi8(8);
      ManyRowsLanes::StoreBytes(q, _mm256_add_epi8(ManyRowsLanes::LoadBytes(q), centre));
    }
  }
  static G3N_INLINE __m256i Load(const uint8_t* q, int64_t) { return ManyRowsLanes::LoadBytes(q); }
  static G3N_INLINE Acc First(__m256i w, __m256i x) { return _mm256_maddubs_epi16(w, x); }
  // One after the other: see many_rows.cc.
  static G3N_INLINE Acc Dot(Acc acc, __m256i w, __m256i x) {
    acc = _mm256_add_epi16(acc, First(w, x));
    asm("" : "+x"(acc));
    return acc;
  }
  static G3N_INLINE __m256 Biased(Acc acc, int32_t bits = kBiasBits) {
    const __m256i sums = _mm256_madd_epi16(acc, _mm256_set1_epi16(1));
    return _mm256_castsi256_ps(_mm256_add_epi32(sums, _mm256_set1_epi32(bits)));
  }
  static G3N_INLINE __m256 Finish(Acc acc) {
    return _mm256_sub_ps(Biased(acc), _mm256_set1_ps(kBias));
  }
};

struct Nibbles : ManyRowsLanes {
  static constexpr uint8_t kFlip = 0;
  static constexpr int kCentre = 8;
  static constexpr int32_t kBiasBits = BiasedSums::kBiasBits;
  using Narrow = NibbleDots<true>;
  using Wide = NibbleDots<false>;
  static G3N_INLINE int32_t SumBlock(const uint8_t* q) {
    alignas(32) uint8_t flipped[32];
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    StoreBytes(flipped, _mm256_xor_si256(v, _mm256_set1_epi8(static_cast<char>(128))));
    return ManyRowsLanes::SumBlock(flipped);
  }
};

constexpr ManyRowsKernels MakeNibbles() {
  ManyRowsKernels k = simd::MakeManyRowsInt8Of<Nibbles, Simd, DType::kQ4_0>();
  const auto add = [&]<DType kType>() {
    k.multiply[static_cast<int>(kType)] =
        simd::MultiplyInt8<Nibbles, NibbleDots<false>, simd::Int8Block<kType>>;
  };
  add.template operator()<DType::kQ4_1>();
  add.template operator()<DType::kQ4_K>();
  return k;
}

}  // namespace

constinit const ManyRowsKernels kManyRowsNibbles = MakeNibbles();

}  // namespace gemma3n::avx2
