#include "model/vision/convolution.h"

#include <cstring>

namespace gemma3n::vision {

void DepthwiseRow(const DepthwiseConv& conv, const MapRows& in, int64_t y, float* out,
                  const KernelTable& kernels) {
  const float* rows[kMaxKernel];
  const int64_t top = y * conv.stride - SamePadding(in.height, conv.kernel, conv.stride);
  for (int64_t ky = 0; ky < conv.kernel; ++ky) rows[ky] = in.Row(top + ky);
  kernels.depthwise_row({.rows = rows,
                         .width = in.width,
                         .channels = in.channels,
                         .taps = conv.taps.data(),
                         .kernel = conv.kernel,
                         .stride = conv.stride,
                         .pad = SamePadding(in.width, conv.kernel, conv.stride),
                         .out = out,
                         .out_width = OutputSize(in.width, conv.stride)});
}

FeatureMap DepthwiseAndNorm(const DepthwiseConv& conv, const FeatureMap& in,
                            const TowerContext& ctx) {
  const int64_t height = OutputSize(in.height, conv.stride);
  const int64_t width = OutputSize(in.width, conv.stride);
  const FeatureMap out(ctx.arena.Floats(height * width * in.channels()), height, width,
                       in.channels());
  const KernelTable& kernels = ctx.ops.kernels();
  ctx.ops.ForRows(height, [&](int64_t y) {
    const View row = out.pixels.Rows(y * width, width);
    DepthwiseRow(conv, in, y, row.data, kernels);
    for (int64_t x = 0; x < width; ++x) {
      kernels.rms_norm(row.row(x), conv.norm.data(), row.row(x), row.cols, ctx.config.norm_eps);
    }
  });
  return out;
}

void GatherRow(const MapRows& in, int64_t stride, int64_t y, float* out) {
  const int64_t c = in.channels, outputs = OutputSize(in.width, stride);
  const int64_t top = y * stride - SamePadding(in.height, 3, stride);
  const int64_t before = SamePadding(in.width, 3, stride);
  for (int64_t ky = 0; ky < 3; ++ky) {
    const float* row = in.Row(top + ky);
    for (int64_t x = 0; x < outputs; ++x) {
      float* to = out + (x * 3 + ky) * 3 * c;
      const int64_t left = x * stride - before;
      // The three pixels lie together; those outside the map are zeros.
      const int64_t begin = row == nullptr ? 3 : std::max<int64_t>(0, -left);
      const int64_t end = std::max(begin, std::min<int64_t>(3, in.width - left));
      std::fill_n(to, begin * c, 0.0f);
      if (end > begin) {
        std::memcpy(to + begin * c, row + (left + begin) * c, (end - begin) * c * sizeof(float));
      }
      std::fill_n(to + end * c, (3 - end) * c, 0.0f);
    }
  }
}

}  // namespace gemma3n::vision
