#include "model/text/altup.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gemma3n {
namespace {

constexpr float kMinMeanSquare =
    1e-5f;  // HF's epsilon_tensor: a floor of the mean square, not of its root
constexpr int64_t kMaxStreams = 16;  // bounded by Validate(ModelConfig)

float MeanSquare(const KernelTable& k, const float* x, int64_t n) {
  return k.sum_squares(x, n) / static_cast<float>(n);
}

// y *= magnitude / rms(y), in the reference's order of operations.
void MatchMagnitude(const KernelTable& k, float magnitude, float* y, int64_t n) {
  const float norm = std::sqrt(std::max(MeanSquare(k, y, n), kMinMeanSquare));
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] * magnitude / norm;
}

// modality(x), [A].   normed: scratch [D]
void Modality(const AltUpWeights& w, const float* x, float* normed, float* out,
              const StageContext& ctx) {
  const int64_t d = ctx.config.hidden_size;
  const KernelTable& k = ctx.ops.kernels();
  k.rms_norm(x, w.router_norm.data(), normed, d, ctx.config.rms_norm_eps);
  k.scale(1.0f / static_cast<float>(d), normed, d);
  for (int64_t a = 0; a < ctx.config.altup_num_inputs; ++a) {
    out[a] = std::tanh(k.dot(w.modality_router.data() + a * d, normed, d));
  }
}

float SmallDot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

Status AltUpInit(const std::vector<Matrix>& projections, const ConstView& h0, const View& streams,
                 const StageContext& ctx) {
  const int64_t tokens = h0.rows, d = ctx.config.hidden_size;
  G3N_RETURN_IF_ERROR(ExpectShape(h0, tokens, d, "altup input"));
  G3N_RETURN_IF_ERROR(
      ExpectShape(streams, ctx.config.altup_num_inputs * tokens, d, "altup streams"));
  ctx.ops.ForRows(tokens,
                  [&](int64_t t) { std::memcpy(streams.row(t), h0.row(t), sizeof(float) * d); });
  Ops::Product products[kMaxStreams];  // [T, D] -> [T, D] each
  for (size_t j = 0; j < projections.size(); ++j) {
    products[j] = {projections[j], streams.Rows(static_cast<int64_t>(j + 1) * tokens, tokens)};
  }
  ctx.ops.LinearEach(std::span(products, projections.size()), h0);
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    const KernelTable& k = ctx.ops.kernels();
    const float magnitude = std::sqrt(MeanSquare(k, h0.row(t), d));
    for (size_t j = 0; j < projections.size(); ++j) {
      MatchMagnitude(k, magnitude, products[j].y.row(t), d);
    }
  });
  ctx.Tap("altup_init", streams);
  return OkStatus();
}

Status AltUpPredict(const AltUpWeights& w, const ConstView& streams, const View& predicted,
                    const StageContext& ctx) {
  const int64_t d = ctx.config.hidden_size, a_count = ctx.config.altup_num_inputs,
                tokens = streams.rows / a_count;
  G3N_RETURN_IF_ERROR(ExpectShape(streams, a_count * tokens, d, "altup predict: streams"));
  G3N_RETURN_IF_ERROR(ExpectShape(predicted, a_count * tokens, d, "altup predict"));
  const KernelTable& k = ctx.ops.kernels();
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    float modality[kMaxStreams], coefs[kMaxStreams * kMaxStreams];
    const float* x[kMaxStreams];
    float* y[kMaxStreams];
    // The first predicted row is free until it is written: scratch for the normed active stream.
    Modality(w, streams.row(ctx.config.altup_active_idx * tokens + t), predicted.row(t), modality,
             ctx);
    for (int64_t a = 0; a < a_count; ++a) {
      x[a] = streams.row(a * tokens + t);
      y[a] = predicted.row(a * tokens + t);
    }
    for (int64_t i = 0; i < a_count * a_count; ++i)
      coefs[i] = SmallDot(w.prediction_coefs.data() + i * a_count, modality, a_count);
    k.mix(coefs, a_count, x, y, d);
  });
  ctx.Tap("altup_predict", predicted);
  return OkStatus();
}

Status AltUpCorrect(const AltUpWeights& w, const ConstView& activated, const View& predicted,
                    const StageContext& ctx) {
  const int64_t d = ctx.config.hidden_size, a_count = ctx.config.altup_num_inputs,
                tokens = activated.rows;
  G3N_RETURN_IF_ERROR(ExpectShape(activated, tokens, d, "altup correct: activated"));
  G3N_RETURN_IF_ERROR(ExpectShape(predicted, a_count * tokens, d, "altup correct: predicted"));
  const KernelTable& k = ctx.ops.kernels();
  Arena::Scope scope(ctx.arena);
  const View normed = ctx.Tensor(tokens, d);
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    float modality[kMaxStreams], coefs[kMaxStreams];
    float* y[kMaxStreams];
    Modality(w, activated.row(t), normed.row(t), modality, ctx);
    for (int64_t a = 0; a < a_count; ++a) {
      coefs[a] = SmallDot(w.correction_coefs.data() + a * a_count, modality, a_count) + 1.0f;
      y[a] = predicted.row(a * tokens + t);
    }
    k.correct(coefs, a_count, ctx.config.altup_active_idx, activated.row(t), y, d);
  });
  ctx.Tap("altup_correct", predicted);
  return OkStatus();
}

Status AltUpMerge(const std::vector<Matrix>& unembed_projections, const ConstView& streams,
                  const View& out, const StageContext& ctx) {
  const int64_t d = ctx.config.hidden_size, a_count = ctx.config.altup_num_inputs,
                tokens = out.rows;
  G3N_RETURN_IF_ERROR(ExpectShape(streams, a_count * tokens, d, "altup merge: streams"));
  G3N_RETURN_IF_ERROR(ExpectShape(out, tokens, d, "altup merge"));
  const KernelTable& k = ctx.ops.kernels();
  Arena::Scope scope(ctx.arena);
  const View projected = ctx.Tensor(tokens, d);
  ctx.ops.ForRows(tokens,
                  [&](int64_t t) { std::memcpy(out.row(t), streams.row(t), sizeof(float) * d); });
  for (int64_t j = 1; j < a_count; ++j) {
    ctx.ops.Linear(unembed_projections[j - 1], streams.Rows(j * tokens, tokens),
                   projected);  // [T, D] -> [T, D]
    ctx.ops.ForRows(tokens, [&](int64_t t) {
      MatchMagnitude(k, std::sqrt(MeanSquare(k, streams.row(t), d)), projected.row(t), d);
      k.add(projected.row(t), out.row(t), d);
    });
  }
  ctx.ops.ForRows(tokens,
                  [&](int64_t t) { k.scale(1.0f / static_cast<float>(a_count), out.row(t), d); });
  ctx.Tap("altup_merge", out);
  return OkStatus();
}

}  // namespace gemma3n
