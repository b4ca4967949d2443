// The multimodal half of config.json, and the picture processor's file beside it.
#include <algorithm>

#include "formats/json.h"
#include "model/config.h"
#include "model/config_multimodal.h"
#include "model/json_fields.h"

namespace gemma3n {
namespace {

using internal::JsonFields;
using nlohmann::json;

// The ids of the released models.
constexpr MultimodalTokens kReleasedTokens = {.begin_image = 255999,
                                              .image = 262145,
                                              .end_image = 262144,
                                              .begin_audio = 256000,
                                              .audio = 262273,
                                              .end_audio = 262272,
                                              .vision_vocab_offset = 262144,
                                              .vision_vocab_size = 128,
                                              .audio_vocab_offset = 262272,
                                              .audio_vocab_size = 128};

// What the tower is written for; another value would be computed wrongly without a word.
void ExpectPairs(JsonFields& f, const char* key, int64_t each) {
  const json* value = f.Find(key);
  if (value != nullptr && *value != json::array({{each, each}, {each, each}})) {
    f.Fail(key, fmt::format("[[{0}, {0}], [{0}, {0}]]", each));
  }
}

Status ReadAudio(JsonFields& f, AudioConfig* c) {
  f.Int("hidden_size", &c->hidden_size);
  f.Int("conf_num_hidden_layers", &c->num_layers);
  f.Int("conf_num_attention_heads", &c->num_heads);
  f.Int("conf_attention_context_left", &c->context_left);
  f.Int("conf_attention_context_right", &c->context_right);
  f.Int("conf_attention_chunk_size", &c->chunk_size);
  f.Float("conf_attention_logit_cap", &c->logit_cap);
  f.Int("conf_conv_kernel_size", &c->conv_kernel_size);
  f.Int("conf_reduction_factor", &c->reduction_factor);
  f.Float("conf_residual_weight", &c->residual_weight);
  f.Float("rms_norm_eps", &c->rms_norm_eps);
  f.Float("sscp_conv_group_norm_eps", &c->group_norm_eps);
  f.Int("input_feat_size", &c->feature_size);
  f.IntOrInts("sscp_conv_channel_size", 2, &c->sscp_channels);
  ExpectPairs(f, "sscp_conv_kernel_size", 3);
  ExpectPairs(f, "sscp_conv_stride_size", 2);
  G3N_RETURN_IF_ERROR(f.status());
  const auto range = [&](const char* key, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) f.Fail(key, fmt::format("{} to {}", low, high));
  };
  range("hidden_size", c->hidden_size, 1, 1 << 16);
  range("conf_num_hidden_layers", c->num_layers, 1, 1024);
  range("conf_num_attention_heads", c->num_heads, 1, c->hidden_size);
  range("conf_attention_context_left", c->context_left, 1, 4096);
  range("conf_attention_context_right", c->context_right, 0, 0);
  range("conf_attention_chunk_size", c->chunk_size, 1, 4096);
  range("conf_conv_kernel_size", c->conv_kernel_size, 1, 64);
  range("conf_reduction_factor", c->reduction_factor, 1, 64);
  range("input_feat_size", c->feature_size, 4, 4096);
  for (const int64_t channels : c->sscp_channels) {
    range("sscp_conv_channel_size", channels, 1, 4096);
  }
  if (c->sscp_channels.size() != 2) f.Fail("sscp_conv_channel_size", "two channel counts");
  if (c->logit_cap <= 0) f.Fail("conf_attention_logit_cap", "a positive number");
  return f.status();
}

}  // namespace

namespace internal {

Status ReadMultimodal(JsonFields& f, ModelConfig* config) {
  MultimodalTokens* t = &config->tokens;
  *t = kReleasedTokens;
  f.TokenId("boi_token_id", &t->begin_image);
  f.TokenId("image_token_id", &t->image);
  f.TokenId("eoi_token_id", &t->end_image);
  f.TokenId("boa_token_id", &t->begin_audio);
  f.TokenId("audio_token_id", &t->audio);
  f.TokenId("eoa_token_id", &t->end_audio);
  f.Int("vision_soft_tokens_per_image", &t->image_soft_tokens);
  f.Int("audio_soft_tokens_per_image", &t->audio_soft_tokens);
  G3N_ASSIGN_OR_RETURN(const json* vision, f.Object("vision_config"));
  G3N_ASSIGN_OR_RETURN(const json* audio, f.Object("audio_config"));
  JsonFields v(*vision, f.where() + ": vision_config"), a(*audio, f.where() + ": audio_config");
  v.Int("vocab_offset", &t->vision_vocab_offset);
  v.Int("vocab_size", &t->vision_vocab_size);
  v.Float("rms_norm_eps", &config->vision.rms_norm_eps);
  a.Int("vocab_offset", &t->audio_vocab_offset);
  a.Int("vocab_size", &t->audio_vocab_size);
  G3N_RETURN_IF_ERROR(v.status());
  G3N_RETURN_IF_ERROR(ReadAudio(a, &config->audio));
  return f.status();
}

}  // namespace internal

Status ReadPreprocessorConfig(std::string_view text, const std::string& name, ModelConfig* config) {
  G3N_ASSIGN_OR_RETURN(const json root, ParseJson(text, name));
  if (!root.is_object()) return Error(StatusCode::kCorruptFile, "{}: expected a JSON object", name);
  JsonFields top(root, name);
  // processor_config.json of transformers 5 holds it one level deeper.
  G3N_ASSIGN_OR_RETURN(const json* nested, top.Object("image_processor"));
  JsonFields f(nested->empty() ? root : *nested, name);
  G3N_ASSIGN_OR_RETURN(const json* size, f.Object("size"));
  JsonFields s(*size, name + ": size");
  int64_t height = config->vision.image_size, width = height;
  s.Int("height", &height);
  s.Int("width", &width);
  if (height < 1 || height > 1 << 15) s.Fail("height", "1 to 32768 pixels");
  if (width != height) s.Fail("width", fmt::format("a square, {} as its height is", height));
  G3N_RETURN_IF_ERROR(s.status());
  config->vision.image_size = height;
  return OkStatus();
}

}  // namespace gemma3n
