// Few rows without SDOT: products of bytes in 16 bits, added up in pairs twice.
#include "kernels/simd/few_rows.h"

#include "kernels/neon/few_rows_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neon {
namespace {

struct Bytes {
  static G3N_INLINE int32x4_t Dot(int32x4_t sum, int8x16_t w, int8x16_t x) {
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(w, x));
    return vaddq_s32(sum, vpaddq_s32(low, high));
  }
};

}  // namespace

constinit const FewRowsKernels kFewRows =
    simd::MakeFewRowsKernels<neon::SignedFewRowsLanes<Bytes>>();

}  // namespace gemma3n::neon
