// Many rows in float32 by fused multiply-adds.
#include "kernels/simd/many_rows_float.h"

#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512/transpose.h"

namespace gemma3n::avx512 {
namespace {

struct FloatRows : PackedLanes {
  static constexpr int kRows = 12, kTurned = 16;  // 24 sums
  static G3N_INLINE F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static G3N_INLINE F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static G3N_INLINE void Dequantize(DType dtype, const std::byte* src, float* dst, int64_t n) {
    kTable.dequantize[static_cast<int>(dtype)](src, dst, n);
  }
  static G3N_INLINE void Turn(const float* rows, int64_t stride, float* out, int64_t out_stride) {
    __m512i v[16];
    G3N_UNROLL
    for (int i = 0; i < 16; ++i) v[i] = _mm512_loadu_si512(rows + i * stride);
    Transpose16(v);
    G3N_UNROLL
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(out + i * out_stride, v[i]);
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsFloat = simd::MakeManyRowsFloat<FloatRows>();

}  // namespace gemma3n::avx512
