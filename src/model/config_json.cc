// Writing config.json, so that HF reads a written checkpoint back.
#include <algorithm>
#include <cmath>

#include "formats/json.h"
#include "model/config.h"

namespace gemma3n {

using nlohmann::json;

float SparsityOf(float z) {
  if (z == 0) return 0;
  if (std::fabs(z) < 1e-30f) return 0.5f;
  constexpr float kLeast = 0x1p-24f;  // 2 s - 1 is still above -1, and below 1 at the other end
  const auto guess =
      std::clamp(static_cast<float>(0.5 * std::erfc(-z / std::sqrt(2.0))), kLeast, 1 - kLeast);
  // Round numbers first: several neighbouring floats may give the same multiplier.
  for (double scale : {100.0, 1000.0, 10000.0}) {
    const auto round = static_cast<float>(std::round(guess * scale) / scale);
    if (round > 0 && round < 1 && NormalIcdf(round) == z) return round;
  }
  float low = guess, high = guess;
  for (int i = 0; i < 64; ++i) {
    if (low > 0 && low < 1 && NormalIcdf(low) == z) return low;
    if (high > 0 && high < 1 && NormalIcdf(high) == z) return high;
    low = std::nextafter(low, 0.0f);
    high = std::nextafter(high, 1.0f);
  }
  return guess;
}

namespace {

json AudioJson(const ModelConfig& config) {
  const AudioConfig& a = config.audio;
  return {{"model_type", "gemma3n_audio"},
          {"vocab_offset", config.tokens.audio_vocab_offset},
          {"vocab_size", config.tokens.audio_vocab_size},
          {"hidden_size", a.hidden_size},
          {"conf_num_hidden_layers", a.num_layers},
          {"conf_num_attention_heads", a.num_heads},
          {"conf_attention_context_left", a.context_left},
          {"conf_attention_context_right", a.context_right},
          {"conf_attention_chunk_size", a.chunk_size},
          {"conf_attention_logit_cap", ShortestDecimal(a.logit_cap)},
          {"conf_conv_kernel_size", a.conv_kernel_size},
          {"conf_reduction_factor", a.reduction_factor},
          {"conf_residual_weight", ShortestDecimal(a.residual_weight)},
          {"rms_norm_eps", ShortestDecimal(a.rms_norm_eps)},
          {"sscp_conv_group_norm_eps", ShortestDecimal(a.group_norm_eps)},
          {"input_feat_size", a.feature_size},
          {"sscp_conv_channel_size", a.sscp_channels}};
}

}  // namespace

std::string HubConfigJson(const ModelConfig& config) {
  const TextConfig& c = config.text;
  json types = json::array(), sparsity = json::array();
  for (int64_t i = 0; i < c.num_layers; ++i) {
    types.push_back(c.sliding[i] ? "sliding_attention" : "full_attention");
    sparsity.push_back(ShortestDecimal(SparsityOf(c.sparsity_z[i])));
  }
  json text = {
      {"model_type", "gemma3n_text"},
      {"hidden_size", c.hidden_size},
      {"num_hidden_layers", c.num_layers},
      {"intermediate_size", c.intermediate_size},
      {"num_attention_heads", c.num_heads},
      {"num_key_value_heads", c.num_kv_heads},
      {"head_dim", c.head_dim},
      {"hidden_activation", "gelu_pytorch_tanh"},
      {"vocab_size", c.vocab_size},
      {"vocab_size_per_layer_input", c.vocab_size_per_layer},
      {"hidden_size_per_layer_input", c.per_layer_dim},
      {"num_kv_shared_layers", c.num_kv_shared_layers},
      {"layer_types", types},
      {"sliding_window", c.sliding_window},
      {"activation_sparsity_pattern", sparsity},
      {"rope_theta", ShortestDecimal(c.rope_theta_full)},
      {"rope_local_base_freq", ShortestDecimal(c.rope_theta_sliding)},
      {"rms_norm_eps", ShortestDecimal(c.rms_norm_eps)},
      {"altup_num_inputs", c.altup_num_inputs},
      {"altup_active_idx", c.altup_active_idx},
      {"altup_correct_scale", c.altup_correct_scale},
      {"altup_coef_clip", 120.0},
      {"laurel_rank", c.laurel_rank},
      {"final_logit_softcapping", ShortestDecimal(c.final_logit_softcap)},
      {"max_position_embeddings", c.max_position},
      {"attention_bias", false},
      {"attention_dropout", 0.0},
      {"tie_word_embeddings", true},
      {"bos_token_id", config.bos},
      {"pad_token_id", config.pad},
  };
  const json ends =
      config.end_tokens.size() == 1 ? json(config.end_tokens.front()) : json(config.end_tokens);
  if (!config.multimodal) {
    text["architectures"] = {"Gemma3nForCausalLM"};
    text["eos_token_id"] = ends;
    return DumpJson(text, 2) + "\n";
  }
  const MultimodalTokens& t = config.tokens;
  const json root = {
      {"architectures", {"Gemma3nForConditionalGeneration"}},
      {"model_type", "gemma3n"},
      {"text_config", text},
      {"vision_config",
       {{"model_type", "gemma3n_vision"},
        {"vocab_offset", t.vision_vocab_offset},
        {"vocab_size", t.vision_vocab_size},
        {"rms_norm_eps", ShortestDecimal(config.vision.rms_norm_eps)}}},
      {"audio_config", AudioJson(config)},
      {"boi_token_id", t.begin_image},
      {"image_token_id", t.image},
      {"eoi_token_id", t.end_image},
      {"boa_token_id", t.begin_audio},
      {"audio_token_id", t.audio},
      {"eoa_token_id", t.end_audio},
      {"vision_soft_tokens_per_image", t.image_soft_tokens},
      {"audio_soft_tokens_per_image", t.audio_soft_tokens},
      {"bos_token_id", config.bos},
      {"pad_token_id", config.pad},
      {"eos_token_id", ends},
      {"tie_word_embeddings", true},
  };
  return DumpJson(root, 2) + "\n";
}

}  // namespace gemma3n
