// Many rows as every 64-bit ARM processor can: bytes multiplied to int16, which has room for the
// sum of eight products with small integers (at most 8 * 127 * 32) or of two with bytes
// (2 * 127 * 128). A register of sums has two rows of W, each with four columns modulo 4.
#include "kernels/neon/many_rows_lanes.h"
#include "kernels/neon/table.h"
#include "kernels/simd/many_rows_int8.h"

namespace gemma3n::neon {
namespace {

// Eight columns, four and four: of each of four rows of W, or of x, four times.
struct Eight {
  int8x16_t first, second;
};

template <class V>
struct FourRows {
  V low, high;  // two and two
};

struct Dots : simd::Int8Dots {
  // 12 registers of a block's sums, 6 of all blocks'.
  static constexpr int kRows[2] = {3, 2}, kVectors = 2;
  static G3N_INLINE Eight Load(const uint8_t* q, int64_t) {
    return {ManyRowsLanes::LoadBytes(q), ManyRowsLanes::LoadBytes(q + 16)};
  }
};

struct NarrowDots : Dots {
  using Acc = FourRows<int16x8_t>;
  static G3N_INLINE Acc Zero() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static G3N_INLINE Acc Dot(Acc acc, Eight w, Eight x) {
    acc.low = vmlal_s8(acc.low, vget_low_s8(w.first), vget_low_s8(x.first));
    acc.high = vmlal_high_s8(acc.high, w.first, x.first);
    acc.low = vmlal_s8(acc.low, vget_low_s8(w.second), vget_low_s8(x.second));
    acc.high = vmlal_high_s8(acc.high, w.second, x.second);
    return acc;
  }
  static G3N_INLINE float32x4_t Finish(Acc acc) {
    return vcvtq_f32_s32(vpaddq_s32(vpaddlq_s16(acc.low), vpaddlq_s16(acc.high)));
  }
};

struct WideDots : Dots {
  using Acc = FourRows<int32x4_t>;
  static G3N_INLINE Acc Zero() { return {FreshZero(), FreshZero()}; }
  static G3N_INLINE Acc Dot(Acc acc, Eight w, Eight x) {
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(w.first), vget_low_s8(x.first)),
                                   vget_low_s8(w.second), vget_low_s8(x.second));
    const int16x8_t high = vmlal_high_s8(vmull_high_s8(w.first, x.first), w.second, x.second);
    return {vpadalq_s16(acc.low, low), vpadalq_s16(acc.high, high)};
  }
  static G3N_INLINE float32x4_t Finish(Acc acc) {
    return vcvtq_f32_s32(vpaddq_s32(acc.low, acc.high));
  }
};

struct ManyRows : FourRowsLanes {
  static constexpr int kStep = 8;
  using Narrow = NarrowDots;
  using Wide = WideDots;
  static G3N_INLINE Eight Broadcast(const uint8_t* q, int column) {
    int8x16_t columns = LoadBytes(q + column / 16 * 16);
    asm("" : "+w"(columns));  // one load: the compiler would read four bytes at a time
    return column % 16 == 0 ? Eight{Repeat<0>(columns), Repeat<1>(columns)}
                            : Eight{Repeat<2>(columns), Repeat<3>(columns)};
  }

 private:
  template <int kLane>
  static G3N_INLINE int8x16_t Repeat(int8x16_t v) {
    return vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(v), kLane));
  }
};

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = simd::MakeManyRowsInt8<ManyRows>();

}  // namespace gemma3n::neon
