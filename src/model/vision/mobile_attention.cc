#include "model/vision/mobile_attention.h"

#include <cmath>

#include "model/vision/convolution.h"

namespace gemma3n::vision {
namespace {

constexpr int64_t kPixelsAtATime = 96, kLeastPixels = 32;
// Pixels whose scores, for all heads and keys, lie in the cache together.
constexpr int64_t kScoreFloats = int64_t{1} << 17;

// [keys, d]
View Project(const SharedHead& w, const FeatureMap& normed, const TowerContext& ctx) {
  const int64_t d = w.projection.rows();
  if (w.down.empty()) {
    const View out = ctx.Tensor(normed.pixels.rows, d);
    w.projection.Apply(normed.pixels, out, ctx.ops);
    return out;
  }
  const int64_t keys =
      OutputSize(normed.height, w.down.stride) * OutputSize(normed.width, w.down.stride);
  const View out = ctx.Tensor(keys, d);
  Arena::Scope scope(ctx.arena);
  w.projection.Apply(DepthwiseAndNorm(w.down, normed, ctx).pixels, out, ctx.ops);
  return out;
}

Matrix AsMatrix(const View& view) {
  return {DType::kF32, view.rows, view.cols, RowBytes(DType::kF32, view.stride),
          reinterpret_cast<const std::byte*>(view.data)};
}

View Transposed(const View& from, const TowerContext& ctx) {
  const View to = ctx.Tensor(from.cols, from.rows);
  for (int64_t r = 0; r < from.rows; ++r) {
    for (int64_t c = 0; c < from.cols; ++c) to.row(c)[r] = from.row(r)[c];
  }
  return to;
}

}  // namespace

Status MobileAttentionForward(const MobileAttentionWeights& w, const FeatureMap& x,
                              const TowerContext& ctx) {
  const int64_t c = x.channels(), d = w.head_dim(), q_dim = w.query.rows(), heads = q_dim / d;
  G3N_RETURN_IF_ERROR(
      ExpectShape(x.pixels, x.height * x.width, w.query.cols(), "mobile attention input"));
  Arena::Scope scope(ctx.arena);
  const FeatureMap normed(ctx.arena.Floats(x.pixels.rows * c), x.height, x.width, c);
  ctx.ops.RmsNorm(w.norm.data(), ctx.config.norm_eps, x.pixels, normed.pixels);
  const View k = Project(w.key, normed, ctx);                     // [keys, d]
  const View v = Transposed(Project(w.value, normed, ctx), ctx);  // [d, keys]
  const Arithmetic arithmetic =
      w.query.arithmetic() == Arithmetic::kFloat32
          ? Arithmetic::kFloat32
          : Arithmetic::kBFloat16;  // probabilities are too uneven for int8
  const PackedLinear keys = PackedLinear::Pack(AsMatrix(k), arithmetic, ctx.ops);
  const PackedLinear values = PackedLinear::Pack(AsMatrix(v), arithmetic, ctx.ops);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));

  const RunPlan plan(x.pixels.rows, kPixelsAtATime, kLeastPixels, ctx.ops);
  const int64_t part = std::clamp<int64_t>(kScoreFloats / (heads * k.rows), 1, plan.length);
  const int64_t floats = 2 * Scratch::Floats(plan.length, q_dim) +
                         Scratch::Floats(part * heads, k.rows) + Scratch::Floats(plan.length, c);
  plan.ForRuns(ctx, floats, [&](Run run) {
    const KernelTable& kernels = ctx.ops.kernels();
    const View q = run.scratch.Take(run.count, q_dim), mixed = run.scratch.Take(run.count, q_dim);
    const View scores = run.scratch.Take(part * heads, k.rows);
    const View y = run.scratch.Take(run.count, c);
    run.Linear(w.query, normed.pixels.Rows(run.begin, run.count), q);  // [P, C] -> [P, heads d]
    run.ForEach(q.rows, [&](int64_t i) { kernels.scale(scale, q.row(i), q_dim); });
    for (int64_t at = 0; at < run.count; at += part) {
      const int64_t rows = std::min(part, run.count - at) * heads;  // of queries, d wide
      const View s = scores.Rows(0, rows);
      run.Linear(keys, ConstView(q.row(at), rows, d), s);  // [P heads, d] -> [P heads, keys]
      run.ForEach(rows, [&](int64_t i) { kernels.softmax(s.row(i), s.cols); });
      run.Linear(values, s, View(mixed.row(at), rows, d));  // [P heads, keys] -> [P heads, d]
    }
    run.Linear(w.output, mixed, y);  // [P, heads d] -> [P, C]
    run.ForEach(y.rows, [&](int64_t i) { kernels.mul(w.layer_scale.data(), y.row(i), c); });
    run.Add(y, x.pixels.Rows(run.begin, run.count));
  });
  return OkStatus();
}

}  // namespace gemma3n::vision
