// One tile of sums where each lane is a row of W: four rows of activations x sixteen of W. Four
// groups of an activation row are loaded together and met one by one, as lanes of their register.
#pragma once

#include <arm_neon.h>

#include "kernels/packed.h"
#include "kernels/simd/common.h"

namespace gemma3n::neon {

// V: Sum, Acc, W, X, kInteger; Start(sums, starts or null) .. Finish(acc, sums, whether starts were
// given); Weights(p): what four rows of W have in one group; Activations(p): four groups of a row;
// Dot<kGroup>(acc, w, x): acc + w times the kGroup-th of them.
template <class V>
struct LaneDot {
  using Sum = typename V::Sum;
  static constexpr bool kInteger = V::kInteger;
  static constexpr int64_t kSlabSteps = 8;  // a panel of W, this long, is 16 KB
  static constexpr int kRows = 4, kVectors = 4;
  static G3N_INLINE void Begin() {}
  static G3N_INLINE void End() {}

  // See VectorDot::Tile.
  static G3N_INLINE void Tile(const std::byte* x, int64_t x_strip, const std::byte* w,
                              int64_t w_strip, int64_t steps, int64_t rows, Sum* sums,
                              const int32_t* starts) {
    for (int64_t t = 0; t < rows; t += kRows) {
      const std::byte* row = x + t / kStripRows * x_strip + t % kStripRows * kStepBytes;
      for (int64_t j = 0; j < kPanelRows; j += kStripRows) {
        Block(row, w + j / kStripRows * w_strip, steps, sums + t * kPanelRows + j,
              starts == nullptr ? nullptr : starts + j);
      }
    }
  }

 private:
  template <int kGroup>
  static G3N_INLINE void Group(typename V::Acc (&acc)[kRows][kVectors], const std::byte* w,
                               const typename V::X (&x)[kRows]) {
    G3N_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      const typename V::W weights = V::Weights(w + kGroup * kStepBytes + j * 16);
      G3N_UNROLL
      for (int i = 0; i < kRows; ++i) acc[i][j] = V::template Dot<kGroup>(acc[i][j], weights, x[i]);
    }
  }

  static G3N_INLINE void Block(const std::byte* x, const std::byte* w, int64_t steps, Sum* sums,
                               const int32_t* starts) {
    typename V::Acc acc[kRows][kVectors];
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < kVectors; ++j) {
        acc[i][j] =
            V::Start(sums + i * kPanelRows + j * 4, starts == nullptr ? nullptr : starts + j * 4);
      }
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      for (int64_t g = 0; g < 16; g += 4) {
        typename V::X groups[kRows];
        G3N_UNROLL
        for (int i = 0; i < kRows; ++i) groups[i] = V::Activations(x + i * kStepBytes + g * 4);
        const std::byte* weights = w + g * kStepBytes;
        Group<0>(acc, weights, groups);
        Group<1>(acc, weights, groups);
        Group<2>(acc, weights, groups);
        Group<3>(acc, weights, groups);
      }
    }
    G3N_UNROLL
    for (int i = 0; i < kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < kVectors; ++j)
        V::Finish(acc[i][j], sums + i * kPanelRows + j * 4, starts != nullptr);
    }
  }
};

}  // namespace gemma3n::neon
