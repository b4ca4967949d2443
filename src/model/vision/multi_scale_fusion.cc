#include "model/vision/multi_scale_fusion.h"

namespace gemma3n::vision {

Status FusionForward(const FusionWeights& w, const FeatureMap& fine, const FeatureMap& coarse,
                     const View& tokens, const TowerContext& ctx) {
  constexpr int64_t kPixelsAtATime = 144;
  const int64_t side = fine.width, expanded = w.project.cols(), outputs = w.project.rows();
  G3N_RETURN_IF_ERROR(
      ExpectShape(fine.pixels, side * side, w.expand_fine.cols(), "fusion's fine input"));
  G3N_RETURN_IF_ERROR(ExpectShape(coarse.pixels, coarse.width * coarse.width,
                                  w.expand_coarse.cols(), "fusion's coarse input"));
  G3N_RETURN_IF_ERROR(ExpectShape(tokens, kTokenGrid * kTokenGrid, outputs, "fusion output"));
  if (side % kTokenGrid != 0 || side % coarse.width != 0) {
    return Error(StatusCode::kInternal, "fusion: maps of {} and {} pixels a side do not nest", side,
                 coarse.width);
  }
  const int64_t pool = side / kTokenGrid, zoom = side / coarse.width;
  const float eps = ctx.config.norm_eps;
  Arena::Scope scope(ctx.arena);
  // Each coarse pixel once, not once for each fine pixel that it covers.
  const View coarse_wide = ctx.Tensor(coarse.pixels.rows, expanded);
  w.expand_coarse.Apply(coarse.pixels, coarse_wide, ctx.ops);  // [coarse pixels, C] -> [.., M]

  const int64_t token_row = pool * side;  // fine pixels under a row of tokens
  const RunPlan plan(kTokenGrid, std::max<int64_t>(1, kPixelsAtATime / token_row), 1, ctx.ops);
  const int64_t floats = Scratch::Floats(plan.length * token_row, expanded) +
                         Scratch::Floats(plan.length * token_row, outputs);
  plan.ForRuns(ctx, floats, [&](Run run) {
    const KernelTable& kernels = ctx.ops.kernels();
    const int64_t begin = run.begin * token_row, count = run.count * token_row;
    const View wide = run.scratch.Take(count, expanded), y = run.scratch.Take(count, outputs);
    run.Linear(w.expand_fine, fine.pixels.Rows(begin, count), wide);  // [P, C] -> [P, M]
    run.ForEach(count, [&](int64_t i) {
      const int64_t row = (begin + i) / side, column = (begin + i) % side;
      kernels.add(coarse_wide.row(row / zoom * coarse.width + column / zoom), wide.row(i),
                  expanded);
    });
    run.RmsNormGelu(w.expand_norm.data(), eps, wide, wide);
    run.Linear(w.project, wide, y);  // [P, M] -> [P, O]
    run.RmsNorm(w.project_norm.data(), eps, y, y);
    run.ForEach(run.count * kTokenGrid, [&](int64_t i) {
      const int64_t row = i / kTokenGrid, column = i % kTokenGrid;
      float* token = tokens.row((run.begin + row) * kTokenGrid + column);
      std::fill_n(token, outputs, 0.0f);
      for (int64_t p = 0; p < pool * pool; ++p) {
        const int64_t pixel = (row * pool + p / pool) * side + column * pool + p % pool;
        kernels.add(y.row(pixel), token, outputs);
      }
      kernels.scale(1.0f / static_cast<float>(pool * pool), token, outputs);
      kernels.rms_norm(token, w.norm.data(), token, outputs, eps);
    });
  });
  ctx.Tap("vision_fusion", tokens);
  return OkStatus();
}

}  // namespace gemma3n::vision
