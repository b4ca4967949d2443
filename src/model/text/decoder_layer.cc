#include "model/text/decoder_layer.h"

#include <cmath>
#include <cstring>

#include "model/text/altup.h"
#include "model/text/attention.h"
#include "model/text/laurel.h"
#include "model/text/mlp.h"
#include "model/text/per_layer_input.h"

namespace gemma3n {
namespace {

// x = ((s + attention) + laurel) / sqrt(2), the division as in the reference.
void MergeAttentionAndLaurel(const ConstView& s, const ConstView& laurel, const View& x,
                             const StageContext& ctx) {
  const float root = std::sqrt(2.0f);
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    float* y = x.row(t);
    const float *a = s.row(t), *b = laurel.row(t);
    for (int64_t i = 0; i < x.cols; ++i) y[i] = ((a[i] + y[i]) + b[i]) / root;
  });
}

// The per-layer injection goes into every stream but the first.
Status InjectPerLayerInput(const LayerWeights& w, const ConstView& ple, const View& streams,
                           const StageContext& ctx) {
  const int64_t tokens = ple.rows, d = ctx.config.hidden_size;
  const KernelTable& k = ctx.ops.kernels();
  Arena::Scope scope(ctx.arena);
  const View scaled = ctx.Tensor(tokens, d), e = ctx.Tensor(tokens, d);
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    std::memcpy(scaled.row(t), streams.row(ctx.config.altup_active_idx * tokens + t),
                sizeof(float) * d);
    if (ctx.config.altup_correct_scale)
      k.mul(w.altup.correct_output_scale.data(), scaled.row(t), d);
  });
  G3N_RETURN_IF_ERROR(PerLayerInjection(w.per_layer_input, scaled, ple, e, ctx));
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    for (int64_t a = 1; a < ctx.config.altup_num_inputs; ++a)
      k.add(e.row(t), streams.row(a * tokens + t), d);
  });
  return OkStatus();
}

}  // namespace

Status DecoderLayerOpen(const DecoderLayer& layer, const ConstView& streams,
                        std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                        const RopeTable& rope, const View& predicted, const View& n,
                        const StageContext& ctx) {
  const LayerWeights& w = *layer.weights;
  const int64_t tokens = static_cast<int64_t>(rows.size());
  G3N_RETURN_IF_ERROR(AltUpPredict(w.altup, streams, predicted, ctx));
  const View s = predicted.Rows(ctx.config.altup_active_idx * tokens, tokens);
  ctx.ops.RmsNorm(w.input_norm.data(), ctx.config.rms_norm_eps, s, n);
  ctx.Tap("attn_norm", n);
  if (!layer.owns_kv) return OkStatus();
  return WriteKeysValues(w.attention, layer.kv_layer, n, rows, caches, rope, ctx);
}

Status DecoderLayerClose(const DecoderLayer& layer, const ConstView& n, const ConstView& ple,
                         std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                         const RopeTable& rope, const View& predicted, const StageContext& ctx) {
  const LayerWeights& w = *layer.weights;
  const TextConfig& c = ctx.config;
  const int64_t tokens = static_cast<int64_t>(rows.size()), d = c.hidden_size;
  const float eps = c.rms_norm_eps;
  const KernelTable& k = ctx.ops.kernels();
  Arena::Scope scope(ctx.arena);
  const View s = predicted.Rows(c.altup_active_idx * tokens, tokens);
  const View x = ctx.Tensor(tokens, d), side = ctx.Tensor(tokens, d), act = ctx.Tensor(tokens, d);

  G3N_RETURN_IF_ERROR(AttentionForward(w.attention, layer.kv_layer, n, rows, caches, rope, x, ctx));
  ctx.ops.RmsNorm(w.post_attention_norm.data(), eps, x, x);
  ctx.Tap("attention_out", x);
  G3N_RETURN_IF_ERROR(LaurelForward(w.laurel, n, side, ctx));
  MergeAttentionAndLaurel(s, side, x, ctx);
  ctx.Tap("attn_laurel", x);

  ctx.ops.RmsNorm(w.pre_feedforward_norm.data(), eps, x, side);
  G3N_RETURN_IF_ERROR(MlpForward(w.mlp, layer.mlp_width, layer.sparsity_z, side, act, ctx));
  ctx.ops.RmsNorm(w.post_feedforward_norm.data(), eps, act, act);
  ctx.Tap("mlp_out", act);
  ctx.ops.ForRows(tokens, [&](int64_t t) { k.add(x.row(t), act.row(t), d); });
  ctx.Tap("ffw_out", act);

  G3N_RETURN_IF_ERROR(AltUpCorrect(w.altup, act, predicted, ctx));
  G3N_RETURN_IF_ERROR(InjectPerLayerInput(w, ple, predicted, ctx));
  ctx.Tap("layer_out", predicted);
  return OkStatus();
}

}  // namespace gemma3n
