#include "model/vision/stem.h"

#include "model/vision/convolution.h"

namespace gemma3n::vision {

Status StemForward(const StemWeights& w, std::span<const uint8_t> rgb, int64_t size,
                   const FeatureMap& out, const TowerContext& ctx) {
  constexpr int64_t kColours = 3, kRowsAtATime = 2;
  const int64_t channels = w.conv.matrix.rows(), half = OutputSize(size, w.conv.stride);
  G3N_RETURN_IF_ERROR(ExpectShape(out.pixels, half * half, channels, "stem output"));
  const int64_t columns = w.conv.matrix.cols();
  const RunPlan plan(half, kRowsAtATime, 1, ctx.ops);
  // Input rows under some output rows, with one more on either side.
  const auto rows_under = [&](int64_t rows) { return w.conv.stride * rows + 2; };
  const int64_t floats = Scratch::Floats(rows_under(plan.length), size * kColours) +
                         Scratch::Floats(plan.length * half, columns);
  plan.ForRuns(ctx, floats, [&](Run run) {
    const int64_t first = std::max<int64_t>(0, run.begin * w.conv.stride - 1);
    const int64_t last = std::min(size, first + rows_under(run.count));
    const View values = run.scratch.Take(last - first, size * kColours);
    const uint8_t* bytes = rgb.data() + first * values.cols;
    for (int64_t i = 0; i < values.rows * values.cols; ++i) {
      values.data[i] = static_cast<float>(bytes[i]) * (1.0f / 255.0f);
    }
    const View gathered = run.scratch.Take(run.count * half, columns);
    const MapRows in(values.data, first, size, size, kColours);
    run.ForEach(run.count, [&](int64_t y) {
      GatherRow(in, w.conv.stride, run.begin + y, gathered.row(y * half));
    });
    const View y = out.pixels.Rows(run.begin * half, run.count * half);
    run.Linear(w.conv.matrix, gathered, y);  // [P, 27] -> [P, O]
    run.ForEach(y.rows, [&](int64_t i) {
      const KernelTable& kernels = ctx.ops.kernels();
      kernels.add(w.bias.data(), y.row(i), channels);
      kernels.rms_norm_gelu(y.row(i), w.norm.data(), y.row(i), channels, ctx.config.norm_eps);
    });
  });
  ctx.Tap("vision_stem", out.pixels);
  return OkStatus();
}

}  // namespace gemma3n::vision
