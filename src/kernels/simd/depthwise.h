// One row of a depthwise convolution. A few vectors of channels at a time, so that their taps stay
// in the first-level cache along the row; a few neighbouring outputs at a time, so that each tap is
// loaded once for all of them.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/common.h"
#include "kernels/simd/vector_ops.h"

namespace gemma3n::simd {

// out[o][0 .. count) for kOutputs outputs from x on, whose windows all lie inside the row; or for
// one output, whose window may not. count <= kLanes channels from `channel` on.
template <class S, int kOutputs>
G3N_INLINE void DepthwiseTile(const DepthwiseArgs& a, int64_t x, int64_t channel, int64_t count) {
  typename S::F acc[kOutputs];
  G3N_UNROLL
  for (int o = 0; o < kOutputs; ++o) acc[o] = S::Zero();
  const int64_t left = x * a.stride - a.pad;
  const int64_t begin = left < 0 ? -left : 0;
  const int64_t end = kOutputs > 1 ? a.kernel : Min(a.kernel, a.width - left);
  for (int64_t ky = 0; ky < a.kernel; ++ky) {
    if (a.rows[ky] == nullptr) continue;
    const float* in = a.rows[ky] + left * a.channels + channel;
    const float* taps = a.taps + ky * a.kernel * a.channels + channel;
    for (int64_t kx = begin; kx < end; ++kx) {
      const auto tap = LoadPart<S>(taps + kx * a.channels, count);
      G3N_UNROLL
      for (int o = 0; o < kOutputs; ++o) {
        const float* pixel = in + (kx + o * a.stride) * a.channels;
        acc[o] = S::Fma(LoadPart<S>(pixel, count), tap, acc[o]);
      }
    }
  }
  G3N_UNROLL
  for (int o = 0; o < kOutputs; ++o) {
    StorePart<S>(a.out + (x + o) * a.channels + channel, acc[o], count);
  }
}

template <class S>
void DepthwiseRow(const DepthwiseArgs& a) {
  constexpr int kOutputs = 4;
  constexpr int64_t kChannels = 4 * S::kLanes;
  // Outputs whose windows lie inside the row.
  const int64_t first = (a.pad + a.stride - 1) / a.stride;
  const int64_t room = a.width - a.kernel + a.pad;
  const int64_t inner = room < 0 ? 0 : Min(a.out_width, room / a.stride + 1);
  for (int64_t group = 0; group < a.channels; group += kChannels) {
    const int64_t group_end = Min(group + kChannels, a.channels);
    int64_t x = 0;
    while (x < a.out_width) {
      const bool several = x >= first && x + kOutputs <= inner;
      for (int64_t c = group; c < group_end; c += S::kLanes) {
        const int64_t count = Min(S::kLanes, group_end - c);
        several ? DepthwiseTile<S, kOutputs>(a, x, c, count) : DepthwiseTile<S, 1>(a, x, c, count);
      }
      x += several ? kOutputs : 1;
    }
  }
}

}  // namespace gemma3n::simd
