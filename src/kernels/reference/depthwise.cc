// One row of a depthwise convolution, channels together.
#include "kernels/reference/reference.h"

namespace gemma3n::reference {

void DepthwiseRow(const DepthwiseArgs& args) {
  const int64_t c = args.channels;
  for (int64_t x = 0; x < args.out_width; ++x) {
    float* out = args.out + x * c;
    for (int64_t i = 0; i < c; ++i) out[i] = 0;
    for (int64_t ky = 0; ky < args.kernel; ++ky) {
      if (args.rows[ky] == nullptr) continue;
      for (int64_t kx = 0; kx < args.kernel; ++kx) {
        const int64_t column = x * args.stride - args.pad + kx;
        if (column < 0 || column >= args.width) continue;
        const float* in = args.rows[ky] + column * c;
        const float* tap = args.taps + (ky * args.kernel + kx) * c;
        for (int64_t i = 0; i < c; ++i) out[i] += in[i] * tap[i];
      }
    }
  }
}

}  // namespace gemma3n::reference
