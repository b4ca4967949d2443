// Tensor names of hub checkpoints and of llama.cpp's files, in both directions.
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "model/checkpoint.h"

namespace gemma3n {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;  // hub, GGUF

constexpr std::array<NamePair, 6> kGlobal = {{
    {"embed_tokens.weight", "token_embd.weight"},
    {"embed_tokens_per_layer.weight", "per_layer_token_embd.weight"},
    {"per_layer_model_projection.weight", "per_layer_model_proj.weight"},
    {"per_layer_projection_norm.weight", "per_layer_proj_norm.weight"},
    {"norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
}};

// Below "layers.N." and "blk.N.".
constexpr std::array<NamePair, 24> kLayer = {{
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "post_attention_norm.weight"},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight"},
    {"altup.correct_output_scale", "altup_correct_scale.weight"},
    {"altup.correction_coefs.weight", "altup_correct_coef.weight"},
    {"altup.prediction_coefs.weight", "altup_predict_coef.weight"},
    {"altup.modality_router.weight", "altup_router.weight"},
    {"altup.router_norm.weight", "altup_router_norm.weight"},
    {"laurel.linear_left.weight", "laurel_l.weight"},
    {"laurel.linear_right.weight", "laurel_r.weight"},
    {"laurel.post_laurel_norm.weight", "laurel_post_norm.weight"},
    {"per_layer_input_gate.weight", "inp_gate.weight"},
    {"per_layer_projection.weight", "proj.weight"},
    {"post_per_layer_input_norm.weight", "post_norm.weight"},
}};

constexpr std::string_view kHubLayer = "layers.", kGgufLayer = "blk.";

struct LayerName {
  std::string_view number, rest;
};

// "layers.3.x" -> {"3", "x"}
std::optional<LayerName> SplitLayer(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot > 4) return std::nullopt;
  const std::string_view number = name.substr(0, dot);
  if (number.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return LayerName{number, name.substr(dot + 1)};
}

}  // namespace

std::optional<std::string> GgufTensorName(const std::string& hub_name) {
  for (const auto& [hub, gguf] : kGlobal) {
    if (hub_name == hub) return std::string(gguf);
  }
  const auto layer = SplitLayer(hub_name, kHubLayer);
  if (!layer) return std::nullopt;
  for (const auto& [hub, gguf] : kLayer) {
    if (layer->rest == hub) return fmt::format("{}{}.{}", kGgufLayer, layer->number, gguf);
  }
  return std::nullopt;
}

std::optional<std::string> HubTensorName(const std::string& gguf_name) {
  for (const auto& [hub, gguf] : kGlobal) {
    if (gguf_name == gguf) return std::string(hub);
  }
  const auto layer = SplitLayer(gguf_name, kGgufLayer);
  if (!layer) return std::nullopt;
  for (const auto& [hub, gguf] : kLayer) {
    if (layer->rest == gguf) return fmt::format("{}{}.{}", kHubLayer, layer->number, hub);
  }
  return std::nullopt;
}

std::string StripHubPrefix(const std::string& name) {
  for (std::string_view prefix :
       {"model.language_model.", "language_model.model.", "language_model.", "model."}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

}  // namespace gemma3n
