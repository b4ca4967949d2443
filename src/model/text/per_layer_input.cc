#include "model/text/per_layer_input.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"

namespace gemma3n {

void ReleasePerLayerRows(const TextWeights& weights) {
  const Matrix& table = weights.embed_tokens_per_layer;
  if (weights.mapped) ReleaseMappedPages({table.data, table.bytes()});
}

Status PerLayerInputs(const TextWeights& weights, std::span<const int> layers, int64_t begin,
                      int64_t end, std::span<const BatchRow> rows, const ConstView& h0,
                      const View& out, const StageContext& ctx) {
  const TextConfig& c = ctx.config;
  const int64_t tokens = static_cast<int64_t>(rows.size()), p = c.per_layer_dim;
  G3N_RETURN_IF_ERROR(ExpectShape(h0, tokens, c.hidden_size, "per-layer inputs: embeddings"));
  G3N_RETURN_IF_ERROR(ExpectShape(out, tokens, (end - begin) * p, "per-layer inputs"));
  Arena::Scope scope(ctx.arena);
  const KernelTable& k = ctx.ops.kernels();

  // The context part, [T, D] -> [T, P] per layer, of neighbouring layers in one product.
  for (int64_t i = begin, next; i < end; i = next) {
    for (next = i + 1; next < end && layers[next] == layers[next - 1] + 1;) ++next;
    ctx.ops.Linear(weights.per_layer_model_projection.RowSlice(layers[i] * p, (next - i) * p), h0,
                   out.Cols((i - begin) * p, (next - i) * p));
  }
  const View table_rows = ctx.Tensor(ctx.ops.pool().threads(), weights.embed_tokens_per_layer.cols);
  const float context_scale = 1.0f / std::sqrt(static_cast<float>(c.hidden_size));
  const float token_scale = std::sqrt(static_cast<float>(p));
  const float mix = 1.0f / std::sqrt(2.0f);
  const auto look_up = [&](int slot, int64_t t) {
    const int64_t id = rows[t].token;
    float* u = table_rows.row(slot);  // [L * P]
    ctx.ops.Row(weights.embed_tokens_per_layer, id >= 0 && id < c.vocab_size_per_layer ? id : 0, u);
    for (int64_t i = begin; i < end; ++i) {
      float* x = out.row(t) + (i - begin) * p;
      k.scale(context_scale, x, p);
      k.rms_norm(x, weights.per_layer_projection_norm.data(), x, p, c.rms_norm_eps);
      k.axpy(token_scale, u + layers[i] * p, x, p);
      k.scale(mix, x, p);
    }
  };
  for (int64_t first = 0; first < tokens; first += kPerLayerRowsHeld) {
    const int64_t count = std::min(kPerLayerRowsHeld, tokens - first);
    ctx.ops.ForSlots(count, [&](int slot, int64_t t) { look_up(slot, first + t); });
    if (count == kPerLayerRowsHeld) ReleasePerLayerRows(weights);
  }
  return OkStatus();
}

Status PerLayerInjection(const PerLayerInputWeights& w, const ConstView& x, const ConstView& ple,
                         const View& e, const StageContext& ctx) {
  const TextConfig& c = ctx.config;
  G3N_RETURN_IF_ERROR(ExpectShape(x, e.rows, c.hidden_size, "per-layer injection"));
  G3N_RETURN_IF_ERROR(ExpectShape(ple, e.rows, c.per_layer_dim, "per-layer injection: inputs"));
  Arena::Scope scope(ctx.arena);
  const View gate = ctx.Tensor(x.rows, c.per_layer_dim);
  ctx.ops.Linear(w.gate, x, gate);  // [T, D] -> [T, P]
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    ctx.ops.kernels().gelu_mul(gate.row(t), ple.row(t), gate.row(t), gate.cols);
  });
  ctx.ops.Linear(w.projection, gate, e);  // [T, P] -> [T, D]
  ctx.ops.RmsNorm(w.post_norm.data(), c.rms_norm_eps, e, e);
  return OkStatus();
}

}  // namespace gemma3n
