#include "model/weights.h"

#include <utility>

#include "base/huge_pages.h"
#include "model/binder.h"

namespace gemma3n {
namespace {

// An unembedding from which on a copy of its rows pays: smaller ones stay in the caches.
constexpr int64_t kCoarseValues = int64_t{1} << 26;

void BindAltUp(Binder& b, AltUpWeights& w, const std::string& p, const TextConfig& c) {
  const int64_t a = c.altup_num_inputs;
  b.Bind(w.router_norm, p + "router_norm.weight", {c.hidden_size});
  b.Bind(w.modality_router, p + "modality_router.weight", {a, c.hidden_size});
  b.Bind(w.prediction_coefs, p + "prediction_coefs.weight", {a * a, a});
  b.Bind(w.correction_coefs, p + "correction_coefs.weight", {a, a});
  b.Bind(w.correct_output_scale, p + "correct_output_scale", {c.hidden_size});
}

void BindAttention(Binder& b, AttentionWeights& w, const std::string& p, const TextConfig& c,
                   bool owns_kv) {
  b.Bind(w.q, p + "q_proj.weight", c.q_dim(), c.hidden_size);
  b.Bind(w.o, p + "o_proj.weight", c.hidden_size, c.q_dim());
  b.Bind(w.q_norm, p + "q_norm.weight", {c.head_dim});
  if (!owns_kv) return;  // hub files still carry K/V weights here; nothing reads them
  b.Bind(w.k, p + "k_proj.weight", c.kv_dim(), c.hidden_size);
  b.Bind(w.v, p + "v_proj.weight", c.kv_dim(), c.hidden_size);
  b.Bind(w.k_norm, p + "k_norm.weight", {c.head_dim});
}

void BindLayer(Binder& b, LayerWeights& w, int64_t i, const TextConfig& c) {
  const std::string p = "layers." + std::to_string(i) + ".";
  const int64_t d = c.hidden_size, f = c.intermediate_size[i];
  b.Bind(w.input_norm, p + "input_layernorm.weight", {d});
  b.Bind(w.post_attention_norm, p + "post_attention_layernorm.weight", {d});
  b.Bind(w.pre_feedforward_norm, p + "pre_feedforward_layernorm.weight", {d});
  b.Bind(w.post_feedforward_norm, p + "post_feedforward_layernorm.weight", {d});
  BindAltUp(b, w.altup, p + "altup.", c);
  b.Bind(w.laurel.left, p + "laurel.linear_left.weight", c.laurel_rank, d);
  b.Bind(w.laurel.right, p + "laurel.linear_right.weight", d, c.laurel_rank);
  b.Bind(w.laurel.post_norm, p + "laurel.post_laurel_norm.weight", {d});
  BindAttention(b, w.attention, p + "self_attn.", c, i < c.first_kv_shared());
  b.Bind(w.mlp.gate, p + "mlp.gate_proj.weight", f, d);
  b.Bind(w.mlp.up, p + "mlp.up_proj.weight", f, d);
  b.Bind(w.mlp.down, p + "mlp.down_proj.weight", d, f);
  if (c.sparsity_z[i] > 0 && LazyColumns::Suits(w.mlp.down)) {
    w.mlp.down_columns = std::make_shared<LazyColumns>(w.mlp.down, /*mapped=*/true);
  }
  b.Bind(w.per_layer_input.gate, p + "per_layer_input_gate.weight", c.per_layer_dim, d);
  b.Bind(w.per_layer_input.projection, p + "per_layer_projection.weight", d, c.per_layer_dim);
  b.Bind(w.per_layer_input.post_norm, p + "post_per_layer_input_norm.weight", {d});
}

}  // namespace

std::vector<float> ToFloats(const StoredTensor& tensor, const KernelTable& kernels) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  kernels.dequantize[static_cast<int>(tensor.dtype)](tensor.data, values.data(), tensor.elements());
  return values;
}

Matrix ToMatrix(const StoredTensor& tensor) {
  const int64_t cols = tensor.shape.back();
  return {tensor.dtype, cols == 0 ? 0 : tensor.elements() / cols, cols,
          RowBytes(tensor.dtype, cols), tensor.data};
}

int64_t DecodeWeightBytes(const TextWeights& weights, const TextConfig& config) {
  const auto bytes = [](const Matrix& m) {
    return m.empty() ? 0 : m.rows * RowBytes(m.dtype, m.cols);
  };
  const int64_t unembedding =
      weights.coarse_lm_head ? weights.coarse_lm_head->bytes() : bytes(weights.lm_head);
  int64_t total =
      unembedding + bytes(weights.per_layer_model_projection) +
      RowBytes(weights.embed_tokens.dtype, weights.embed_tokens.cols) +
      RowBytes(weights.embed_tokens_per_layer.dtype, weights.embed_tokens_per_layer.cols);
  for (const Matrix& m : weights.altup_projections) total += bytes(m);
  for (const Matrix& m : weights.altup_unembed_projections) total += bytes(m);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& w = weights.layers[i];
    for (const Matrix* m :
         {&w.attention.q, &w.attention.k, &w.attention.v, &w.attention.o, &w.laurel.left,
          &w.laurel.right, &w.mlp.gate, &w.per_layer_input.gate, &w.per_layer_input.projection}) {
      total += bytes(*m);
    }
    const float z = config.sparsity_z[i];
    const double alive = z == 0 ? 1.0 : 1.0 - static_cast<double>(SparsityOf(z));
    total += static_cast<int64_t>(alive * static_cast<double>(bytes(w.mlp.up) + bytes(w.mlp.down)));
  }
  return total;
}

Result<TextWeights> BindTextWeights(const Checkpoint& checkpoint, const KernelTable& kernels) {
  const TextConfig& c = checkpoint.config().text;
  const int64_t d = c.hidden_size;
  Binder b(checkpoint, kernels);
  TextWeights w;
  w.mapped = true;  // checkpoints are
  b.BindTable(w.embed_tokens, "embed_tokens.weight", c.vocab_size, d);
  w.lm_head = w.embed_tokens;
  if (b.Has("lm_head.weight")) b.BindTable(w.lm_head, "lm_head.weight", c.vocab_size, d);
  w.lm_head.rows = c.vocab_size;
  if (w.lm_head.rows * w.lm_head.cols >= kCoarseValues) {
    w.coarse_lm_head = std::make_shared<CoarseRows>(w.lm_head, /*mapped=*/true);
  }
  b.BindTable(w.embed_tokens_per_layer, "embed_tokens_per_layer.weight", c.vocab_size_per_layer,
              c.num_layers * c.per_layer_dim);
  const Matrix& looked_up = w.embed_tokens_per_layer;
  RefuseHugePages({looked_up.data, looked_up.bytes()});
  b.Bind(w.per_layer_model_projection, "per_layer_model_projection.weight",
         c.num_layers * c.per_layer_dim, d);
  b.Bind(w.per_layer_projection_norm, "per_layer_projection_norm.weight", {c.per_layer_dim});
  w.altup_projections.resize(c.altup_num_inputs - 1);
  w.altup_unembed_projections.resize(c.altup_num_inputs - 1);
  for (int64_t j = 0; j + 1 < c.altup_num_inputs; ++j) {
    b.Bind(w.altup_projections[j], "altup_projections." + std::to_string(j) + ".weight", d, d);
    b.Bind(w.altup_unembed_projections[j],
           "altup_unembed_projections." + std::to_string(j) + ".weight", d, d);
  }
  b.Bind(w.norm, "norm.weight", {d});
  w.layers.resize(c.num_layers);
  for (int64_t i = 0; i < c.num_layers; ++i) BindLayer(b, w.layers[i], i, c);
  G3N_RETURN_IF_ERROR(b.status());
  return w;
}

}  // namespace gemma3n
