#include "convert/source.h"

#include <algorithm>
#include <cstring>

#include "model/matformer.h"

namespace gemma3n {
namespace {

constexpr char kPerLayerTable[] = "embed_tokens_per_layer.weight";
constexpr char kPerLayerProjection[] = "per_layer_model_projection.weight";

bool StartsWith(const std::string& text, std::string_view prefix) {
  return text.starts_with(prefix);
}

}  // namespace

int64_t SourceTensor::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

bool SourceTensor::Copyable() const {
  if (parts.empty()) return false;
  const int64_t block = Traits(dtype()).block_elements;
  return std::all_of(parts.begin(), parts.end(),
                     [&](const StoredTensor& p) { return p.dtype == dtype(); }) &&
         std::all_of(columns.begin(), columns.end(), [&](const Columns& c) {
           return c.begin % block == 0 && c.count % block == 0;
         });
}

const std::byte* SourceTensor::StoredRow(int64_t row, const StoredTensor** part) const {
  if (!row_of.empty()) row = row_of[row];
  for (const StoredTensor& p : parts) {
    const int64_t rows = p.elements() / p.shape.back();
    if (row < rows) {
      *part = &p;
      return p.data + row * RowBytes(p.dtype, p.shape.back());
    }
    row -= rows;
  }
  return nullptr;  // not reached: rows() counts the parts' rows
}

void SourceTensor::FloatRow(int64_t row, const KernelTable& kernels, std::vector<float>& scratch,
                            float* out) const {
  if (parts.empty()) {
    std::fill_n(out, cols(), fill);
    return;
  }
  const StoredTensor* part = nullptr;
  const std::byte* stored = StoredRow(row, &part);
  const auto dequantize = kernels.dequantize[static_cast<int>(part->dtype)];
  if (columns.empty()) return dequantize(stored, out, cols());
  scratch.resize(static_cast<size_t>(part->shape.back()));
  dequantize(stored, scratch.data(), part->shape.back());
  for (const Columns& c : columns) out = std::copy_n(scratch.data() + c.begin, c.count, out);
}

void SourceTensor::CopyRow(int64_t row, std::byte* out) const {
  const StoredTensor* part = nullptr;
  const std::byte* stored = StoredRow(row, &part);
  if (columns.empty()) {
    std::memcpy(out, stored, static_cast<size_t>(RowBytes(part->dtype, cols())));
    return;
  }
  for (const Columns& c : columns) {
    const auto bytes = static_cast<size_t>(RowBytes(part->dtype, c.count));
    std::memcpy(out, stored + RowBytes(part->dtype, c.begin), bytes);
    out += bytes;
  }
}

Result<Source> Source::Create(const Checkpoint& checkpoint, const ModelSize& size) {
  Source source;
  source.checkpoint_ = &checkpoint;
  G3N_RETURN_IF_ERROR(CheckModelSize(checkpoint, size));
  G3N_ASSIGN_OR_RETURN(source.config_, SlicedConfig(checkpoint.config(), size));
  source.kept_ = KeptLayers(checkpoint.config().text.num_layers, size);
  return source;
}

const std::vector<std::string>& Source::LayerSuffixes() {
  static const std::vector<std::string> kSuffixes = {
      "input_layernorm.weight",
      "self_attn.q_proj.weight",
      "self_attn.k_proj.weight",
      "self_attn.v_proj.weight",
      "self_attn.o_proj.weight",
      "self_attn.q_norm.weight",
      "self_attn.k_norm.weight",
      "post_attention_layernorm.weight",
      "pre_feedforward_layernorm.weight",
      "mlp.gate_proj.weight",
      "mlp.up_proj.weight",
      "mlp.down_proj.weight",
      "post_feedforward_layernorm.weight",
      "altup.correct_output_scale",
      "altup.correction_coefs.weight",
      "altup.prediction_coefs.weight",
      "altup.modality_router.weight",
      "altup.router_norm.weight",
      "laurel.linear_left.weight",
      "laurel.linear_right.weight",
      "laurel.post_laurel_norm.weight",
      "per_layer_input_gate.weight",
      "per_layer_projection.weight",
      "post_per_layer_input_norm.weight",
  };
  return kSuffixes;
}

std::vector<std::string> Source::GlobalNames() const {
  std::vector<std::string> names = {"embed_tokens.weight", kPerLayerTable, kPerLayerProjection,
                                    "per_layer_projection_norm.weight"};
  if (checkpoint_->tensors().contains("lm_head.weight")) names.push_back("lm_head.weight");
  for (const char* stack : {"altup_projections", "altup_unembed_projections"}) {
    for (int64_t j = 0; j + 1 < config_.text.altup_num_inputs; ++j) {
      names.push_back(fmt::format("{}.{}.weight", stack, j));
    }
  }
  names.push_back("norm.weight");
  return names;
}

std::vector<int64_t> Source::GlobalShape(const TextConfig& c, const std::string& name) const {
  if (name == "embed_tokens.weight" || name == "lm_head.weight")
    return {c.vocab_size, c.hidden_size};
  if (name == kPerLayerTable) return {c.vocab_size_per_layer, c.num_layers * c.per_layer_dim};
  if (name == kPerLayerProjection) return {c.num_layers * c.per_layer_dim, c.hidden_size};
  if (name == "per_layer_projection_norm.weight") return {c.per_layer_dim};
  if (StartsWith(name, "altup_")) return {c.hidden_size, c.hidden_size};
  return {c.hidden_size};
}

std::vector<int64_t> Source::LayerShape(const TextConfig& c, int64_t layer,
                                        const std::string& suffix) const {
  const int64_t d = c.hidden_size, a = c.altup_num_inputs, f = c.intermediate_size[layer];
  if (suffix == "self_attn.q_proj.weight") return {c.q_dim(), d};
  if (suffix == "self_attn.k_proj.weight" || suffix == "self_attn.v_proj.weight") {
    return {c.kv_dim(), d};
  }
  if (suffix == "self_attn.o_proj.weight") return {d, c.q_dim()};
  if (suffix == "self_attn.q_norm.weight" || suffix == "self_attn.k_norm.weight")
    return {c.head_dim};
  if (suffix == "mlp.gate_proj.weight" || suffix == "mlp.up_proj.weight") return {f, d};
  if (suffix == "mlp.down_proj.weight") return {d, f};
  if (suffix == "altup.correction_coefs.weight") return {a, a};
  if (suffix == "altup.prediction_coefs.weight") return {a * a, a};
  if (suffix == "altup.modality_router.weight") return {a, d};
  if (suffix == "laurel.linear_left.weight") return {c.laurel_rank, d};
  if (suffix == "laurel.linear_right.weight") return {d, c.laurel_rank};
  if (suffix == "per_layer_input_gate.weight") return {c.per_layer_dim, d};
  if (suffix == "per_layer_projection.weight") return {d, c.per_layer_dim};
  return {d};
}

Result<SourceTensor> Source::Global(const std::string& name) const {
  const TextConfig& whole = checkpoint_->config().text;
  std::vector<int64_t> stored_shape = GlobalShape(whole, name);
  const auto found = checkpoint_->tensors().find(name);
  // Converters pad the tables with rows that no id uses.
  const bool is_table = name == "embed_tokens.weight" || name == kPerLayerTable;
  if (is_table && found != checkpoint_->tensors().end() && found->second.shape.size() == 2) {
    stored_shape[0] = std::max(stored_shape[0], found->second.shape[0]);
  }
  G3N_ASSIGN_OR_RETURN(StoredTensor stored, checkpoint_->Require(name, stored_shape));
  SourceTensor tensor;
  tensor.name = name;
  tensor.shape = GlobalShape(config_.text, name);
  tensor.parts = {std::move(stored)};
  if (config_.text.num_layers == whole.num_layers) return tensor;
  const int64_t p = whole.per_layer_dim;
  for (int layer : kept_) {
    if (name == kPerLayerTable) tensor.columns.push_back({layer * p, p});
    for (int64_t i = 0; name == kPerLayerProjection && i < p; ++i) {
      tensor.row_of.push_back(layer * p + i);
    }
  }
  return tensor;
}

bool Source::HasLayer(int64_t layer, const std::string& suffix) const {
  return checkpoint_->tensors().contains(fmt::format("layers.{}.{}", kept_[layer], suffix));
}

Result<SourceTensor> Source::Layer(int64_t layer, const std::string& suffix) const {
  SourceTensor tensor;
  const std::vector<int64_t> stored_shape =
      LayerShape(checkpoint_->config().text, kept_[layer], suffix);
  G3N_ASSIGN_OR_RETURN(
      StoredTensor stored,
      checkpoint_->Require(fmt::format("layers.{}.{}", kept_[layer], suffix), stored_shape));
  tensor.name = fmt::format("layers.{}.{}", layer, suffix);
  tensor.shape = LayerShape(config_.text, layer, suffix);
  tensor.parts = {std::move(stored)};
  if (tensor.cols() != stored_shape.back()) tensor.columns = {{0, tensor.cols()}};
  return tensor;
}

}  // namespace gemma3n
