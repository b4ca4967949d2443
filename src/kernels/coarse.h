// The rows of a matrix in three bits a value: half of what Q6_K takes to read, and enough to tell
// which few of many products W x can be the largest (model/text/likely_logits.h).
//
// A value is a level q of 0 .. 7 and stands for q - 3.5 times what its row's products are scaled
// with. 512 columns are a group of three planes of 64 bytes; columns 64 f + i of a group, f of 0 ..
// 7, are byte i of the planes:
//   plane 0   bits 0-2: f = 0, 3-5: f = 1, 6-7: the low two of f = 6
//   plane 1   bits 0-2: f = 2, 3-5: f = 3, 6: the high one of f = 6, 7: the high one of f = 7
//   plane 2   bits 0-2: f = 4, 3-5: f = 5, 6-7: the low two of f = 7
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace gemma3n {

inline constexpr int64_t kCoarseColumns = 512;                                // of a group
inline constexpr int64_t kCoarsePlane = 64, kCoarseGroup = 3 * kCoarsePlane;  // bytes
inline constexpr float kCoarseCentre = 3.5f;
inline constexpr int kCoarseLevels = 8;
inline constexpr int64_t kCoarseRows = 4;  // rows of x of one call at most

struct CoarseKernels {
  // One row to levels: w times inverse_step, rounded; NaN is level 0. cols: whole groups.
  //   centred: [cols] q - 3.5
  void (*encode)(const float* w, int64_t cols, float inverse_step, std::byte* levels,
                 float* centred) = nullptr;
  // y[t, r] = sum_c q[r, c] x[t, c] for r in [begin, end), exact while below 2^24. A row of levels
  // is `cols` / kCoarseColumns groups; rows of x are `cols` bytes, above -128.
  //   count: of rows of x, up to kCoarseRows
  void (*multiply)(const std::byte* levels, int64_t cols, int64_t begin, int64_t end,
                   const int8_t* x, int64_t count, const View& y) = nullptr;
};

}  // namespace gemma3n
