// One tile of sums by the matrix instructions, which multiply 2 rows x 8 bytes by 2 rows x 8 bytes:
// eight rows of activations x eight of W, in sixteen registers of 2 x 2 sums.
#pragma once

#include <arm_neon.h>

#include "kernels/packed.h"
#include "kernels/simd/common.h"

namespace gemma3n::neon {

// M: Sum, Acc (four sums), kInteger; Zero(), Load(sums), Store(sums, acc); Dot(acc, x, w) for two
// rows x 8 bytes each; Low(a, b), High(a, b): the lower or upper halves of two accumulators.
template <class M>
struct MatrixDot {
  using Sum = typename M::Sum;
  using Acc = typename M::Acc;
  static constexpr bool kInteger = M::kInteger;
  static constexpr int64_t kSlabSteps = 8;  // a panel of W, this long, is 16 KB
  static constexpr int kRows = 8, kColumns = 8;
  static G3N_INLINE void Begin() {}
  static G3N_INLINE void End() {}

  // See VectorDot::Tile.
  static G3N_INLINE void Tile(const std::byte* x, int64_t x_strip, const std::byte* w,
                              int64_t w_strip, int64_t steps, int64_t rows, Sum* sums,
                              const int32_t* starts) {
    for (int64_t t = 0; t < rows; t += kRows) {
      const std::byte* row = x + t / kStripRows * x_strip + t % kStripRows * kStepBytes;
      for (int64_t j = 0; j < kPanelRows; j += kColumns) {
        Block(row, w + j / kStripRows * w_strip + j % kStripRows * 4, steps,
              sums + t * kPanelRows + j, starts != nullptr);
      }
    }
  }

 private:
  static constexpr int kPairs = kRows / 2, kColumnPairs = kColumns / 2;

  static G3N_INLINE uint64x2_t Long(const std::byte* p) {
    return vreinterpretq_u64_u8(vld1q_u8(reinterpret_cast<const uint8_t*>(p)));
  }
  static G3N_INLINE uint32x4_t Groups(const std::byte* p) {
    return vreinterpretq_u32_u8(vld1q_u8(reinterpret_cast<const uint8_t*>(p)));
  }

  static G3N_INLINE void Block(const std::byte* x, const std::byte* w, int64_t steps, Sum* sums,
                               bool first) {
    Acc acc[kPairs][kColumnPairs];
    G3N_UNROLL
    for (int i = 0; i < kPairs; ++i) {
      Sum* even = sums + 2 * i * kPanelRows;
      G3N_UNROLL
      for (int j = 0; j < kColumnPairs; j += 2) {
        if (first) {
          acc[i][j] = acc[i][j + 1] = M::Zero();
        } else {
          const Acc a = M::Load(even + 2 * j), b = M::Load(even + kPanelRows + 2 * j);
          acc[i][j] = M::Low(a, b), acc[i][j + 1] = M::High(a, b);
        }
      }
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      for (int g = 0; g < 16; g += 4) {  // groups of 4 bytes of each row, four at a time
        // [0]: the first two groups of two rows side by side, [1]: the next two
        uint64x2_t rows[2][kPairs], columns[2][kColumnPairs];
        G3N_UNROLL
        for (int i = 0; i < kPairs; ++i) {
          const uint64x2_t even = Long(x + 2 * i * kStepBytes + g * 4);
          const uint64x2_t odd = Long(x + (2 * i + 1) * kStepBytes + g * 4);
          rows[0][i] = vzip1q_u64(even, odd), rows[1][i] = vzip2q_u64(even, odd);
        }
        G3N_UNROLL
        for (int half = 0; half < 2; ++half) {
          const std::byte* groups = w + (g + 2 * half) * kStepBytes;
          G3N_UNROLL
          for (int j = 0; j < kColumnPairs; j += 2) {
            const uint32x4_t one = Groups(groups + j * 8);  // of four rows of W
            const uint32x4_t two = Groups(groups + kStepBytes + j * 8);
            columns[half][j] = vreinterpretq_u64_u32(vzip1q_u32(one, two));
            columns[half][j + 1] = vreinterpretq_u64_u32(vzip2q_u32(one, two));
          }
          G3N_UNROLL
          for (int i = 0; i < kPairs; ++i) {
            G3N_UNROLL
            for (int j = 0; j < kColumnPairs; ++j)
              acc[i][j] = M::Dot(acc[i][j], rows[half][i], columns[half][j]);
          }
        }
      }
    }
    G3N_UNROLL
    for (int i = 0; i < kPairs; ++i) {
      Sum* even = sums + 2 * i * kPanelRows;
      G3N_UNROLL
      for (int j = 0; j < kColumnPairs; j += 2) {
        M::Store(even + 2 * j, M::Low(acc[i][j], acc[i][j + 1]));
        M::Store(even + kPanelRows + 2 * j, M::High(acc[i][j], acc[i][j + 1]));
      }
    }
  }
};

}  // namespace gemma3n::neon
