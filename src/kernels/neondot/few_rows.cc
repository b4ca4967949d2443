// Few rows by SDOT.
#include "kernels/simd/few_rows.h"

#include "kernels/neon/few_rows_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neondot {
namespace {

struct Bytes {
  static G3N_INLINE int32x4_t Dot(int32x4_t sum, int8x16_t w, int8x16_t x) {
    return vdotq_s32(sum, w, x);
  }
};

}  // namespace

constinit const FewRowsKernels kFewRows =
    simd::MakeFewRowsKernels<neon::SignedFewRowsLanes<Bytes>>();

}  // namespace gemma3n::neondot
