// Many rows in float32 by fused multiply-adds.
#include "kernels/simd/many_rows_float.h"

#include "kernels/avx2/many_rows_lanes.h"
#include "kernels/avx2/table.h"

namespace gemma3n::avx2 {
namespace {

struct FloatRows : ManyRowsLanes {
  static constexpr int kRows = 6, kTurned = 8;  // 12 sums
  static G3N_INLINE F Add(F a, F b) { return _mm256_add_ps(a, b); }
  static G3N_INLINE void Dequantize(DType dtype, const std::byte* src, float* dst, int64_t n) {
    kTable.dequantize[static_cast<int>(dtype)](src, dst, n);
  }
  static G3N_INLINE void Turn(const float* rows, int64_t stride, float* out, int64_t out_stride) {
    alignas(32) float columns[kTurned * kLanes];
    Transpose(rows, stride, columns);
    for (int i = 0; i < kTurned; ++i) Store(out + i * out_stride, Load(columns + i * kLanes));
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsFloat = simd::MakeManyRowsFloat<FloatRows>();

}  // namespace gemma3n::avx2
