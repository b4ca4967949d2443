// int8 as every 64-bit ARM processor can: bytes multiplied to int16, which has room for the sum of
// two products of values within 127, and added in pairs to int32. Two accumulators hold four rows
// of W, in each the halves of two rows' sums side by side.
#include "kernels/simd/packed.h"
#include "kernels/neon/packed_lanes.h"
#include "kernels/neon/table.h"

namespace gemma3n::neon {
namespace {

struct Lanes : PackedLanes {};  // a type of this file alone names its own templates

struct WideningDot {
  using Sum = int32_t;
  static constexpr bool kInteger = true;
  static constexpr int64_t kSlabSteps = 8;  // a panel of W, this long, is 16 KB
  static constexpr int kRows = 4, kVectors = 2;
  static G3N_INLINE void Begin() {}
  static G3N_INLINE void End() {}

  // See VectorDot::Tile.
  static G3N_INLINE void Tile(const std::byte* x, int64_t x_strip, const std::byte* w,
                              int64_t w_strip, int64_t steps, int64_t rows, int32_t* sums,
                              const int32_t* starts) {
    for (int64_t t = 0; t < rows; t += kRows) {
      const std::byte* row = x + t / kStripRows * x_strip + t % kStripRows * kStepBytes;
      for (int64_t j = 0; j < kPanelRows; j += 4 * kVectors) {
        Block(row, w + j / kStripRows * w_strip + j % kStripRows * 4, steps,
              sums + t * kPanelRows + j, starts != nullptr);
      }
    }
  }

 private:
  struct Acc {
    int32x4_t low, high;
  };

  static G3N_INLINE int8x16_t Bytes(const std::byte* p) {
    return vld1q_s8(reinterpret_cast<const int8_t*>(p));
  }
  // Four bytes of an activation row, twice.
  static G3N_INLINE int8x8_t Group(const std::byte* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return vreinterpret_s8_s32(vdup_n_s32(four));
  }

  static G3N_INLINE void Block(const std::byte* x, const std::byte* w, int64_t steps, int32_t* sums,
                               bool first) {
    Acc acc[kRows][kVectors];
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < kVectors; ++j) acc[i][j] = {vdupq_n_s32(0), vdupq_n_s32(0)};
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      for (int g = 0; g < 16; g += 2) {  // groups of the columns, two at a time
        int8x16_t one[kVectors], two[kVectors];
        G3N_UNROLL
        for (int j = 0; j < kVectors; ++j) {
          one[j] = Bytes(w + g * kStepBytes + j * 16);
          two[j] = Bytes(w + (g + 1) * kStepBytes + j * 16);
        }
        G3N_UNROLL
        for (int i = 0; i < kRows; ++i) {
          const std::byte* row = x + i * kStepBytes + g * 4;
          const int8x8_t x1 = Group(row), x2 = Group(row + 4);
          G3N_UNROLL
          for (int j = 0; j < kVectors; ++j) {
            const int16x8_t low =
                vmlal_s8(vmull_s8(vget_low_s8(one[j]), x1), vget_low_s8(two[j]), x2);
            const int16x8_t high =
                vmlal_s8(vmull_s8(vget_high_s8(one[j]), x1), vget_high_s8(two[j]), x2);
            acc[i][j] = {vpadalq_s16(acc[i][j].low, low), vpadalq_s16(acc[i][j].high, high)};
          }
        }
      }
    }
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < kVectors; ++j) {
        int32_t* out = sums + i * kPanelRows + j * 4;
        const int32x4_t sum = vpaddq_s32(acc[i][j].low, acc[i][j].high);
        vst1q_s32(out, first ? sum : vaddq_s32(vld1q_s32(out), sum));
      }
    }
  }
};

}  // namespace

constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<Lanes>,
                                       simd::Multiply<Lanes, WideningDot>};

}  // namespace gemma3n::neon
