#include "model/vision/edge_residual.h"

#include "model/vision/convolution.h"

namespace gemma3n::vision {

Status EdgeResidualForward(const EdgeResidualWeights& w, const FeatureMap& x, const FeatureMap& out,
                           const TowerContext& ctx) {
  constexpr int64_t kPixelsAtATime = 192;
  G3N_RETURN_IF_ERROR(
      ExpectShape(x.pixels, x.height * x.width, w.expand.channels, "edge residual input"));
  G3N_RETURN_IF_ERROR(ExpectShape(
      out.pixels, OutputSize(x.height, w.expand.stride) * OutputSize(x.width, w.expand.stride),
      w.project.rows(), "edge residual output"));
  const int64_t width = out.width, columns = w.expand.matrix.cols(), expanded = w.project.cols();
  const RunPlan plan(out.height, std::max<int64_t>(1, kPixelsAtATime / width), 1, ctx.ops);
  const int64_t pixels = plan.length * width;
  const int64_t floats = Scratch::Floats(pixels, columns) + Scratch::Floats(pixels, expanded);
  plan.ForRuns(ctx, floats, [&](Run run) {
    const View gathered = run.scratch.Take(run.count * width, columns);
    const View wide = run.scratch.Take(run.count * width, expanded);
    run.ForEach(run.count, [&](int64_t y) {
      GatherRow(x, w.expand.stride, run.begin + y, gathered.row(y * width));
    });
    const View y = out.pixels.Rows(run.begin * width, run.count * width);
    run.Linear(w.expand.matrix, gathered, wide);  // [P, 9 C] -> [P, M]
    run.RmsNormGelu(w.expand_norm.data(), ctx.config.norm_eps, wide, wide);
    run.Linear(w.project, wide, y);  // [P, M] -> [P, O]
    run.RmsNorm(w.norm.data(), ctx.config.norm_eps, y, y);
    if (w.skip) run.Add(x.pixels.Rows(run.begin * width, run.count * width), y);
  });
  return OkStatus();
}

}  // namespace gemma3n::vision
