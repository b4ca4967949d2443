// Many rows by SDOT, which takes four columns of a row of x as a lane of its register.
#include "kernels/neon/many_rows_lanes.h"
#include "kernels/neon/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::neondot {
namespace {

// Sixteen columns of x, four of which are meant.
struct Four {
  int8x16_t columns;
  int lane;  // a constant after unrolling
};

struct Dots : neon::ByteDots {
  static constexpr int kRows[2] = {6, 4}, kVectors = 2;  // 12 sums of a block, 12 of all blocks
  static G3N_INLINE Acc Dot(Acc acc, int8x16_t w, Four x) {
    switch (x.lane) {
      case 0:
        return vdotq_laneq_s32(acc, w, x.columns, 0);
      case 1:
        return vdotq_laneq_s32(acc, w, x.columns, 1);
      case 2:
        return vdotq_laneq_s32(acc, w, x.columns, 2);
      default:
        return vdotq_laneq_s32(acc, w, x.columns, 3);
    }
  }
};

struct ManyRows : neon::FourRowsLanes {
  static constexpr int kStep = 4;
  using Narrow = Dots;
  using Wide = Dots;
  static G3N_INLINE Four Broadcast(const uint8_t* q, int column) {
    return {LoadBytes(q + column / 16 * 16), column % 16 / 4};
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows>();

}  // namespace gemma3n::neondot
