#include "model/mmproj.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gemma3n {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;  // hub, GGUF

// The first that fits stands for the beginning of the name.
constexpr std::array<NamePair, 11> kPrefixes = {{
    {"vision_tower.timm_model.blocks.", "v.blk."},
    {"vision_tower.timm_model.", "v."},
    {"embed_vision.embedding.", "mm.embedding."},
    {"embed_vision.hard_embedding_norm.", "mm.hard_emb_norm."},
    {"embed_vision.soft_embedding_norm.", "mm.soft_emb_norm."},
    {"embed_vision.embedding_projection.", "mm.input_projection."},
    {"embed_audio.embedding.", "mm.a.embedding."},
    {"embed_audio.hard_embedding_norm.", "mm.a.hard_emb_norm."},
    {"embed_audio.soft_embedding_norm.", "mm.a.soft_emb_norm."},
    {"embed_audio.embedding_projection.", "mm.a.input_projection."},
    {"audio_tower.", "gemma3n.a."},
}};
// The longest part of a name, shortened.
constexpr NamePair kLongPart = {"relative_position_embedding", "rel_pos"};

void Replace(std::string& text, std::string_view from, std::string_view to) {
  if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

// What a release has, where a file says nothing.
MultimodalTokens ReleasedTokens() {
  MultimodalTokens t;
  t.begin_image = 255999;
  t.begin_audio = 256000;
  t.end_image = 262144;
  t.image = 262145;
  t.end_audio = 262272;
  t.audio = 262273;
  t.vision_vocab_offset = 262144;
  t.audio_vocab_offset = 262272;
  t.vision_vocab_size = t.audio_vocab_size = 128;
  return t;
}

constexpr int64_t kMaxSize = int64_t{1} << 20;  // of a width or a count

// Calls field(key, value, least, most) for each integer and number(key, value) for each float: one
// list, read and written.
template <typename Config, typename Integer, typename Number>
void ForFields(Config& c, const Integer& field, const Number& number) {
  field("clip.vision.image_size", c.vision.image_size, 256, 768);
  number("clip.vision.attention.layer_norm_epsilon", c.vision.rms_norm_eps);
  field("clip.vision.projection_dim", c.text.hidden_size, 1, kMaxSize);
  field("gemma3n.audio.embedding_length", c.audio.hidden_size, 1, kMaxSize);
  field("gemma3n.audio.block_count", c.audio.num_layers, 1, 1024);
  field("gemma3n.audio.attention.head_count", c.audio.num_heads, 1, 1024);
  field("gemma3n.audio.attention.context_left", c.audio.context_left, 1, kMaxSize);
  field("gemma3n.audio.attention.context_right", c.audio.context_right, 0, kMaxSize);
  field("gemma3n.audio.attention.chunk_size", c.audio.chunk_size, 1, kMaxSize);
  number("gemma3n.audio.attention.logit_cap", c.audio.logit_cap);
  field("gemma3n.audio.conv_kernel_size", c.audio.conv_kernel_size, 1, 1024);
  field("gemma3n.audio.reduction_factor", c.audio.reduction_factor, 1, 1024);
  number("gemma3n.audio.residual_weight", c.audio.residual_weight);
  number("gemma3n.audio.rms_norm_epsilon", c.audio.rms_norm_eps);
  number("gemma3n.audio.group_norm_epsilon", c.audio.group_norm_eps);
  field("gemma3n.audio.num_mel_bins", c.audio.feature_size, 1, 4096);
  const auto id = [&](const char* key, auto& value) { field(key, value, -1, INT32_MAX); };
  id("gemma3n.begin_image_token_id", c.tokens.begin_image);
  id("gemma3n.image_token_id", c.tokens.image);
  id("gemma3n.end_image_token_id", c.tokens.end_image);
  id("gemma3n.begin_audio_token_id", c.tokens.begin_audio);
  id("gemma3n.audio_token_id", c.tokens.audio);
  id("gemma3n.end_audio_token_id", c.tokens.end_audio);
  id("gemma3n.vision.vocab_offset", c.tokens.vision_vocab_offset);
  field("gemma3n.vision.vocab_size", c.tokens.vision_vocab_size, 0, kMaxSize);
  id("gemma3n.audio.vocab_offset", c.tokens.audio_vocab_offset);
  field("gemma3n.audio.vocab_size", c.tokens.audio_vocab_size, 0, kMaxSize);
  field("gemma3n.vision.soft_tokens", c.tokens.image_soft_tokens, 1, kMaxSize);
  field("gemma3n.audio.soft_tokens", c.tokens.audio_soft_tokens, 1, kMaxSize);
}

constexpr char kSscpChannels[] = "gemma3n.audio.sscp_channels";

}  // namespace

std::optional<std::string> MmprojTensorName(const std::string& hub_name) {
  for (const auto& [hub, gguf] : kPrefixes) {
    if (!hub_name.starts_with(hub)) continue;
    std::string name = std::string(gguf) + hub_name.substr(hub.size());
    Replace(name, kLongPart.first, kLongPart.second);
    return name;
  }
  return std::nullopt;
}

std::optional<std::string> HubNameOfMmproj(const std::string& gguf_name) {
  for (const auto& [hub, gguf] : kPrefixes) {
    if (!gguf_name.starts_with(gguf)) continue;
    std::string name = std::string(hub) + gguf_name.substr(gguf.size());
    Replace(name, kLongPart.second, kLongPart.first);
    return name;
  }
  return std::nullopt;
}

bool IsChannelVector(const std::string& hub_name) {
  return hub_name.ends_with(".layer_scale.gamma") || hub_name.ends_with(".conv_stem.conv.bias");
}

Result<ModelConfig> ParseMmprojConfig(const GgufFile& file) {
  const auto architecture = file.GetString("general.architecture");
  auto projector = file.GetString("clip.vision.projector_type");
  if (!projector) projector = file.GetString("clip.projector_type");
  if (architecture != kMmprojArchitecture || projector != kMmprojProjector) {
    return Error(StatusCode::kUnsupported,
                 "{}: expected a projector of architecture {} and type {}, found {} and {}",
                 file.path(), kMmprojArchitecture, kMmprojProjector, architecture.value_or("none"),
                 projector.value_or("none"));
  }
  ModelConfig config;
  config.multimodal = true;
  config.tokens = ReleasedTokens();
  Status status;
  const auto integer = [&](const char* key, auto& value, int64_t least, int64_t most) {
    if (!status.ok() || !file.metadata().contains(key)) return;
    const auto found = file.GetInt(key);
    if (found && *found >= least && *found <= most) {
      value = static_cast<std::remove_reference_t<decltype(value)>>(*found);
    } else {
      status = Error(StatusCode::kCorruptFile, "{}: {}: expected an integer from {} to {}",
                     file.path(), key, least, most);
    }
  };
  const auto number = [&](const char* key, float& value) {
    if (!status.ok() || !file.metadata().contains(key)) return;
    const auto found = file.GetFloat(key);
    if (found && *found >= 0 && *found < 1e30) {
      value = static_cast<float>(*found);
    } else {
      status = Error(StatusCode::kCorruptFile, "{}: {}: expected a number from 0 to 1e30",
                     file.path(), key);
    }
  };
  ForFields(config, integer, number);
  G3N_RETURN_IF_ERROR(status);
  if (file.metadata().contains(kSscpChannels)) {
    const auto channels = file.GetInts(kSscpChannels);
    if (!channels || channels->size() != config.audio.sscp_channels.size()) {
      return Error(StatusCode::kCorruptFile, "{}: {}: expected {} integers", file.path(),
                   kSscpChannels, config.audio.sscp_channels.size());
    }
    config.audio.sscp_channels = *channels;
  }
  // The width that the embedder gives, which is what the tower is for.
  const auto projection = file.tensors().find("mm.input_projection.weight");
  if (projection != file.tensors().end()) {
    config.text.hidden_size = projection->second.shape.front();
  }
  return config;
}

void AddMmprojConfig(const ModelConfig& config, int64_t outputs, GgufWriter& writer) {
  writer.AddBool("clip.has_vision_encoder", true);
  writer.AddBool("clip.has_audio_encoder", false);  // llama.cpp has none for this model
  writer.AddString("clip.projector_type", kMmprojProjector);
  writer.AddString("clip.vision.projector_type", kMmprojProjector);
  // llama.cpp counts soft tokens as size / patch.
  const auto patch =
      static_cast<uint32_t>(config.vision.image_size / config.tokens.image_soft_tokens);
  writer.AddU32("clip.vision.patch_size", std::max<uint32_t>(1, patch));
  writer.AddU32("clip.vision.embedding_length", static_cast<uint32_t>(outputs));
  // Wanted of every tower; this one's are in its tensors.
  writer.AddU32("clip.vision.feed_forward_length", static_cast<uint32_t>(4 * outputs));
  writer.AddU32("clip.vision.block_count", 128);
  writer.AddU32("clip.vision.attention.head_count", 8);
  writer.AddF32s("clip.vision.image_mean", {0, 0, 0});
  writer.AddF32s("clip.vision.image_std", {1, 1, 1});
  ForFields(
      config,
      [&](const char* key, const auto& value, int64_t, int64_t) {
        value < 0 ? writer.AddI32(key, static_cast<int32_t>(value))
                  : writer.AddU32(key, static_cast<uint32_t>(value));
      },
      [&](const char* key, float value) { writer.AddF32(key, value); });
  const auto& channels = config.audio.sscp_channels;
  writer.AddI32s(kSscpChannels, {channels.begin(), channels.end()});
}

}  // namespace gemma3n
