#include "model/audio/light_conv.h"

#include <algorithm>

namespace gemma3n {

Result<View> LightConv(const LightConvWeights& w, const View& x, std::span<const int64_t> kept,
                       const AudioContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, static_cast<int64_t>(ctx.clip_begin.size()), w.start.cols(),
                                  "light convolution"));
  const KernelTable& kernels = ctx.ops.kernels();
  const int64_t d = x.cols, taps = ctx.config.conv_kernel_size;
  const auto rows = static_cast<int64_t>(kept.size());
  Arena::Scope scope(ctx.arena);
  const View normed = ctx.Tensor(x.rows, d);
  const View gated = ctx.Tensor(x.rows, 2 * d);
  ctx.ops.RmsNorm(w.pre_norm.data(), ctx.config.rms_norm_eps, x, normed);
  w.start.Apply(normed, gated, ctx.ops);  // [T, D] -> [T, 2 D]
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    kernels.sigmoid_mul(gated.row(t), gated.row(t) + d, gated.row(t), d);
  });

  const View z = normed.Rows(0, rows), out = ctx.Tensor(rows, d);
  ctx.ops.ForRows(rows, [&](int64_t r) {
    const int64_t t = kept[r];
    std::fill_n(z.row(r), d, 0.0f);
    for (int64_t j = std::max<int64_t>(0, taps - 1 - (t - ctx.clip_begin[t])); j < taps; ++j) {
      kernels.mul_add(w.depthwise.data() + j * d, gated.row(t - taps + 1 + j), z.row(r), d);
    }
    kernels.rms_norm(z.row(r), w.conv_norm.data(), z.row(r), d, ctx.config.rms_norm_eps);
    kernels.sigmoid_mul(z.row(r), z.row(r), z.row(r), d);  // silu
  });
  w.end.Apply(z, out, ctx.ops);

  for (int64_t r = 0; r < rows; ++r) {  // a kept row moves forward or stays: none is lost unread
    if (kept[r] != r) std::copy_n(x.row(kept[r]), d, x.row(r));
  }
  ctx.ops.ForRows(rows, [&](int64_t r) { kernels.add(out.row(r), x.row(r), d); });
  return x.Rows(0, rows);
}

}  // namespace gemma3n
