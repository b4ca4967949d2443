#include "convert/inspect.h"

#include <algorithm>

#include "convert/source.h"
#include "model/text/kv_cache.h"

namespace gemma3n {
namespace {

constexpr int64_t kPrefillChunk =
    512;  // rows that the cache's windows hold besides the visible ones

void Count(Inspection::Amount* amount, const StoredTensor& tensor) {
  ++amount->tensors;
  amount->elements += tensor.elements();
  amount->bytes += tensor.bytes;
}

// "layers.22.self_attn.k_proj.weight" of a layer that reads another one's keys and values.
bool IsUnusedKv(const std::string& name, const TextConfig& c) {
  for (int64_t i = c.first_kv_shared(); i < c.num_layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.self_attn.", i);
    if (!name.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    return rest == "k_proj.weight" || rest == "v_proj.weight" || rest == "k_norm.weight";
  }
  return false;
}

Inspection::Amount* Group(Inspection& i, const std::string& name) {
  if (name == "embed_tokens_per_layer.weight") return &i.per_layer_table;
  if (name.starts_with("vision_tower.") || name.starts_with("embed_vision.")) return &i.vision;
  if (name.starts_with("audio_tower.") || name.starts_with("embed_audio.")) return &i.audio;
  if (IsUnusedKv(name, i.config.text)) return &i.unused;
  const bool known = GgufTensorName(name).has_value() || name.starts_with("altup_");
  return known ? &i.text : &i.other;
}

// Why the text model could not be put together, or nothing.
std::string FirstMissing(const Checkpoint& checkpoint) {
  const auto source = Source::Create(checkpoint, {});
  if (!source.ok()) return source.status().message();
  for (const std::string& name : source->GlobalNames()) {
    if (const auto tensor = source->Global(name); !tensor.ok()) return tensor.status().message();
  }
  const TextConfig& c = checkpoint.config().text;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    for (const std::string& suffix : Source::LayerSuffixes()) {
      if (IsUnusedKv(fmt::format("layers.{}.{}", i, suffix), c)) continue;
      if (const auto tensor = source->Layer(i, suffix); !tensor.ok()) {
        return tensor.status().message();
      }
    }
  }
  return "";
}

}  // namespace

uint64_t Inspection::KvBytes(int64_t context) const {
  return static_cast<uint64_t>(KvCache::Bytes(config.text, context, kPrefillChunk, DType::kF16));
}

Result<Inspection> Inspect(const Checkpoint& checkpoint, const Tokenizer* tokenizer) {
  Inspection result;
  result.path = checkpoint.path();
  result.format = checkpoint.is_gguf() ? "gguf" : "hub";
  result.config = checkpoint.config();
  result.architecture = checkpoint.is_gguf()       ? "gemma3n"
                        : result.config.multimodal ? "Gemma3nForConditionalGeneration"
                                                   : "Gemma3nForCausalLM";
  if (checkpoint.is_gguf()) {
    const GgufFile& file = *checkpoint.gguf();
    result.name = std::string(file.GetString("general.name").value_or(""));
    for (const auto& [name, type] : file.unknown_types()) {
      result.unknown.push_back(fmt::format("{} (ggml type {})", name, type));
    }
  }
  for (const std::string& name : checkpoint.skipped()) result.unknown.push_back(name);
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    Count(&result.dtypes[Name(tensor.dtype)], tensor);
    Count(Group(result, name), tensor);
  }
  result.file_bytes = checkpoint.file_bytes();
  result.missing = FirstMissing(checkpoint);
  if (tokenizer != nullptr) result.tokenizer_pieces = tokenizer->vocab_size();
  const auto chat_template = checkpoint.ChatTemplate();
  result.chat_template = !chat_template.ok() ? chat_template.status().message()
                         : *chat_template    ? "own"
                                             : "none";
  result.resident_weights = result.text.bytes;
  result.mapped_only = result.per_layer_table.bytes;
  const TextConfig& c = result.config.text;
  const auto full_owners =
      std::count(c.sliding.begin(), c.sliding.begin() + c.first_kv_shared(), false);
  result.kv_bytes_per_token = static_cast<uint64_t>(full_owners) * 2 * c.kv_dim() * 2;
  return result;
}

}  // namespace gemma3n
