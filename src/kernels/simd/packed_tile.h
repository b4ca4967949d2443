// One tile of sums in vector registers: rows of activations x vectors of W's rows, over some steps.
// Each lane is a row of W; a group of 4 bytes of an activation row is broadcast to all.
#pragma once

#include "kernels/packed.h"
#include "kernels/simd/common.h"

namespace gemma3n::simd {

// V: Sum, Acc, kRows, kVectors, kLanes; Start(sums, starts or null) .. Finish(acc, sums, whether
// starts were given); and a vector of kLanes rows of W, loaded by Weights(), times a broadcast
// group, Group(): Dot(). kVectors * kLanes divides kPanelRows.
template <class V>
struct VectorDot {
  using Sum = typename V::Sum;
  static constexpr bool kInteger = V::kInteger;
  static constexpr int64_t kSlabSteps =
      8;  // a panel of W, this long, is 16 KB of the first-level cache
  static void Begin() {}
  static void End() {}

  // sums[i, j] = starts[j] + x[i] . w[j], or sums[i, j] += x[i] . w[j] where starts is null.
  // sums: [rows, kPanelRows]; x_strip, w_strip: bytes from 16 rows to the next 16
  static void Tile(const std::byte* x, int64_t x_strip, const std::byte* w, int64_t w_strip,
                   int64_t steps, int64_t rows, Sum* sums, const int32_t* starts) {
    for (int64_t t = 0; t < rows; t += V::kRows) {
      const std::byte* row = x + t / kStripRows * x_strip + t % kStripRows * kStepBytes;
      for (int64_t j = 0; j < kPanelRows; j += V::kVectors * V::kLanes) {
        Block(row, w + j / kStripRows * w_strip + j % kStripRows * 4, w_strip, steps,
              sums + t * kPanelRows + j, starts == nullptr ? nullptr : starts + j);
      }
    }
  }

 private:
  static G3N_INLINE void Block(const std::byte* x, const std::byte* w, int64_t strip, int64_t steps,
                               Sum* sums, const int32_t* starts) {
    typename V::Acc acc[V::kRows][V::kVectors];
    G3N_UNROLL
    for (int i = 0; i < V::kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < V::kVectors; ++j) {
        acc[i][j] = V::Start(sums + i * kPanelRows + j * V::kLanes,
                             starts == nullptr ? nullptr : starts + j * V::kLanes);
      }
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      for (int g = 0; g < 16; ++g) {
        typename V::W weights[V::kVectors];
        G3N_UNROLL
        for (int j = 0; j < V::kVectors; ++j) {
          const int64_t at = j * V::kLanes;
          weights[j] =
              V::Weights(w + at / kStripRows * strip + at % kStripRows * 4 + g * kStepBytes);
        }
        G3N_UNROLL
        for (int i = 0; i < V::kRows; ++i) {
          const auto group = V::Group(x + i * kStepBytes + g * 4);
          G3N_UNROLL
          for (int j = 0; j < V::kVectors; ++j) acc[i][j] = V::Dot(acc[i][j], weights[j], group);
        }
      }
    }
    G3N_UNROLL
    for (int i = 0; i < V::kRows; ++i) {
      G3N_UNROLL
      for (int j = 0; j < V::kVectors; ++j) {
        V::Finish(acc[i][j], sums + i * kPanelRows + j * V::kLanes, starts != nullptr);
      }
    }
  }
};

}  // namespace gemma3n::simd
