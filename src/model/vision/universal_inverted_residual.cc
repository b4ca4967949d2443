#include "model/vision/universal_inverted_residual.h"

#include "model/vision/convolution.h"

namespace gemma3n::vision {
namespace {

constexpr int64_t kPixelsAtATime = 128, kLeastPixels = 48;
// Of one thread's expanded rows around a few output rows.
constexpr int64_t kTileFloats = int64_t{2} << 20;

// [P, M] -> [P, O]; adds the rows of x where the block does.
void Project(const InvertedResidualWeights& w, const Run& run, const View& wide, const View& y,
             const ConstView& x, float eps) {
  if (w.skip && x.data == y.data) {  // in place: the product needs room of its own
    Scratch scratch = run.scratch;
    const View product = scratch.Take(y.rows, y.cols);
    run.Linear(w.project, wide, product);
    run.RmsNorm(w.norm.data(), eps, product, product);
    run.Add(product, y);
    return;
  }
  run.Linear(w.project, wide, y);
  run.RmsNorm(w.norm.data(), eps, y, y);
  if (w.skip) run.Add(x, y);
}

// Without a middle convolution every pixel is by itself.
void Pointwise(const InvertedResidualWeights& w, const FeatureMap& start, const FeatureMap& x,
               const FeatureMap& out, const TowerContext& ctx) {
  const RunPlan plan(out.pixels.rows, kPixelsAtATime, kLeastPixels, ctx.ops);
  const int64_t floats = Scratch::Floats(plan.length, w.expand.rows()) +
                         Scratch::Floats(plan.length, w.project.rows());
  plan.ForRuns(ctx, floats, [&](Run run) {
    const View wide = run.scratch.Take(run.count, w.expand.rows());
    run.Linear(w.expand, start.pixels.Rows(run.begin, run.count), wide);  // [P, C] -> [P, M]
    run.RmsNormGelu(w.expand_norm.data(), ctx.config.norm_eps, wide, wide);
    Project(w, run, wide, out.pixels.Rows(run.begin, run.count),
            x.pixels.Rows(run.begin, run.count), ctx.config.norm_eps);
  });
}

// With one, a few output rows need the expanded rows under and around them.
void Spatial(const InvertedResidualWeights& w, const FeatureMap& start, const FeatureMap& x,
             const FeatureMap& out, const TowerContext& ctx) {
  const DepthwiseConv& middle = w.middle;
  const int64_t m = w.expand.rows(), pad = SamePadding(x.height, middle.kernel, middle.stride);
  const auto rows_under = [&](int64_t rows) { return (rows - 1) * middle.stride + middle.kernel; };
  const int64_t fit = kTileFloats / (x.width * m * middle.stride);
  const RunPlan plan(out.height, std::clamp<int64_t>(fit, 1, out.height), 1, ctx.ops);
  const int64_t floats = Scratch::Floats(rows_under(plan.length) * x.width, m) +
                         Scratch::Floats(plan.length * out.width, m) +
                         Scratch::Floats(plan.length * out.width, w.project.rows());
  plan.ForRuns(ctx, floats, [&](Run run) {
    const int64_t top = run.begin * middle.stride - pad;
    const int64_t first = std::max<int64_t>(0, top);
    const int64_t last = std::min(x.height, top + rows_under(run.count));
    const View wide = run.scratch.Take((last - first) * x.width, m);
    for (int64_t at = 0; at < wide.rows; at += 2 * kPixelsAtATime) {
      const View part = wide.Rows(at, std::min(2 * kPixelsAtATime, wide.rows - at));
      run.Linear(w.expand, start.pixels.Rows(first * x.width + at, part.rows), part);
      run.RmsNormGelu(w.expand_norm.data(), ctx.config.norm_eps, part, part);
    }
    const View narrow = run.scratch.Take(run.count * out.width, m);
    const MapRows rows(wide.data, first, x.height, x.width, m);
    run.ForEach(run.count, [&](int64_t y) {
      DepthwiseRow(middle, rows, run.begin + y, narrow.row(y * out.width), ctx.ops.kernels());
    });
    run.RmsNormGelu(middle.norm.data(), ctx.config.norm_eps, narrow, narrow);
    const int64_t begin = run.begin * out.width;
    Project(w, run, narrow, out.pixels.Rows(begin, narrow.rows),
            w.skip ? x.pixels.Rows(begin, narrow.rows) : View(), ctx.config.norm_eps);
  });
}

}  // namespace

Status InvertedResidualForward(const InvertedResidualWeights& w, const FeatureMap& x,
                               const FeatureMap& out, const TowerContext& ctx) {
  const int64_t stride =
      std::max(w.start.empty() ? 1 : w.start.stride, w.middle.empty() ? 1 : w.middle.stride);
  G3N_RETURN_IF_ERROR(
      ExpectShape(x.pixels, x.height * x.width, w.expand.cols(), "inverted residual input"));
  G3N_RETURN_IF_ERROR(ExpectShape(out.pixels,
                                  OutputSize(x.height, stride) * OutputSize(x.width, stride),
                                  w.project.rows(), "inverted residual output"));
  Arena::Scope scope(ctx.arena);
  const FeatureMap start = w.start.empty() ? x : DepthwiseAndNorm(w.start, x, ctx);
  w.middle.empty() ? Pointwise(w, start, x, out, ctx) : Spatial(w, start, x, out, ctx);
  return OkStatus();
}

}  // namespace gemma3n::vision
