// The metadata of a llama.cpp file of architecture "gemma3n".
#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/gguf.h"
#include "model/config.h"

namespace gemma3n {
namespace {

constexpr char kArchitecture[] = "gemma3n";
// What llama.cpp assumes where a file says nothing.
constexpr int64_t kDefaultPeriod = 5, kDefaultOwners = 20, kDefaultSparseLayers = 10;
constexpr float kDefaultSparsity = 0.95f;
// Rows of the released per-layer table; converters pad it to the word table's rows.
constexpr int64_t kReleasedPerLayerVocab = 262144, kReleasedVocab = 262400;

// Metadata below "gemma3n.", the first failure remembered.
class Keys {
 public:
  explicit Keys(const GgufFile& file) : file_(file) {}

  std::string Full(const char* key) const { return std::string(kArchitecture) + "." + key; }
  bool Has(const char* key) const { return file_.metadata().contains(Full(key)); }
  const Status& status() const { return status_; }

  void Fail(const std::string& key, const char* expected) {
    if (!status_.ok()) return;
    status_ = Error(StatusCode::kCorruptFile, "{}: {}: expected {}, found {}", file_.path(), key,
                    expected, file_.metadata().contains(key) ? "another kind" : "nothing");
  }
  // Required without a fallback. A list whose values are all the same counts as one integer.
  int64_t Int(const char* key, std::optional<int64_t> fallback = std::nullopt) {
    if (!Has(key) && fallback) return *fallback;
    if (const auto v = file_.GetInt(Full(key))) return *v;
    if (const auto v = file_.GetInts(Full(key)); v && !v->empty()) {
      if (std::all_of(v->begin(), v->end(), [&](int64_t x) { return x == v->front(); })) {
        return v->front();
      }
    }
    Fail(Full(key), "an integer");
    return 0;
  }
  float Float(const char* key, float fallback) {
    if (!Has(key)) return fallback;
    if (const auto v = file_.GetFloat(Full(key))) return static_cast<float>(*v);
    Fail(Full(key), "a number");
    return 0;
  }

 private:
  const GgufFile& file_;
  Status status_;
};

// Rows of a table, or of a stack of them: the outermost dimension.
Result<int64_t> Rows(const GgufFile& file, const std::string& tensor) {
  const auto found = file.tensors().find(tensor);
  if (found != file.tensors().end()) return found->second.shape.front();
  const auto unknown = file.unknown_types().find(tensor);
  if (unknown != file.unknown_types().end()) {
    return Error(StatusCode::kUnsupported, "{}: tensor {}: ggml type {} is not handled",
                 file.path(), tensor, unknown->second);
  }
  return Error(StatusCode::kNotFound, "{}: tensor {}: not in the file", file.path(), tensor);
}

std::optional<int32_t> FindToken(const std::vector<std::string_view>* tokens,
                                 std::string_view text) {
  if (tokens == nullptr) return std::nullopt;
  const auto at = std::find(tokens->begin(), tokens->end(), text);
  if (at == tokens->end()) return std::nullopt;
  return static_cast<int32_t>(at - tokens->begin());
}

Status CheckArchitecture(const GgufFile& file) {
  const auto architecture = file.GetString("general.architecture");
  if (!architecture) {
    return Error(StatusCode::kCorruptFile, "{}: general.architecture: expected a string",
                 file.path());
  }
  if (*architecture != kArchitecture) {
    return Error(StatusCode::kUnsupported, "{}: general.architecture: expected {}, found {}{}",
                 file.path(), kArchitecture, *architecture,
                 *architecture == "clip" ? " (a multimodal projector, not a language model)" : "");
  }
  if (file.GetInt("split.count").value_or(1) > 1) {
    return Error(StatusCode::kUnsupported,
                 "{}: split.count: one of {} parts; expected a whole file (merge them first)",
                 file.path(), *file.GetInt("split.count"));
  }
  return OkStatus();
}

void ReadWidths(const GgufFile& file, Keys& keys, TextConfig* c) {
  if (const auto widths = file.GetInts(keys.Full("feed_forward_length"))) {
    c->intermediate_size = *widths;
    return;
  }
  c->intermediate_size.assign(static_cast<size_t>(c->num_layers), keys.Int("feed_forward_length"));
}

// A flag for each layer, or the period at which a full-attention layer comes.
void ReadSlidingPattern(const GgufFile& file, Keys& keys, TextConfig* c) {
  const char* key = "attention.sliding_window_pattern";
  if (const auto flags = file.GetBools(keys.Full(key))) {
    c->sliding = *flags;
    return;
  }
  if (const auto flags = file.GetInts(keys.Full(key))) {
    for (int64_t flag : *flags) c->sliding.push_back(flag != 0);
    return;
  }
  const int64_t period = keys.Int(key, kDefaultPeriod);
  if (period < 1) return keys.Fail(keys.Full(key), "a flag for each layer, or a period");
  for (int64_t i = 0; i < c->num_layers; ++i) {
    c->sliding.push_back((i + 1) % period != 0);
  }
}

// One multiplier for each layer; -infinity (the quantile of 0) marks a dense one.
void ReadSparsity(const GgufFile& file, Keys& keys, TextConfig* c) {
  if (!keys.Has("activation_sparsity_scale")) {
    c->sparsity_z.assign(static_cast<size_t>(c->num_layers), 0.0f);
    if (c->num_layers > kDefaultSparseLayers) {
      std::fill_n(c->sparsity_z.begin(), kDefaultSparseLayers, NormalIcdf(kDefaultSparsity));
    }
    return;
  }
  const auto scales = file.GetFloats(keys.Full("activation_sparsity_scale"));
  if (!scales) return keys.Fail(keys.Full("activation_sparsity_scale"), "a list of numbers");
  for (double z : *scales) {
    c->sparsity_z.push_back(z == -std::numeric_limits<double>::infinity() ? 0.0f
                                                                          : static_cast<float>(z));
  }
}

// Ids at or above it use row 0 of the per-layer table. llama.cpp's files do not say where the
// padding rows begin.
Result<int64_t> PerLayerVocab(const GgufFile& file, Keys& keys,
                              const std::vector<std::string_view>* tokens) {
  G3N_ASSIGN_OR_RETURN(const int64_t rows, Rows(file, "per_layer_token_embd.weight"));
  if (keys.Has("vocab_size_per_layer_input")) {
    const int64_t stated = keys.Int("vocab_size_per_layer_input");
    if (stated < 1 || stated > rows) {
      return Error(StatusCode::kCorruptFile, "{}: {}: expected 1 to the table's {} rows, found {}",
                   file.path(), keys.Full("vocab_size_per_layer_input"), rows, stated);
    }
    return stated;
  }
  const auto image = FindToken(tokens, "<image_soft_token>");
  if (image && *image > 1 && (*tokens)[*image - 1] == "<end_of_image>") {
    return std::min<int64_t>(rows, *image - 1);
  }
  return rows == kReleasedVocab ? kReleasedPerLayerVocab : rows;
}

Status ReadText(const GgufFile& file, const std::vector<std::string_view>* tokens, TextConfig* c) {
  Keys keys(file);
  c->num_layers = keys.Int("block_count");
  G3N_RETURN_IF_ERROR(keys.status());
  if (c->num_layers < 1 || c->num_layers > 1024) {  // before vectors of that length are made
    return Error(StatusCode::kCorruptFile, "{}: {}: expected 1 to 1024, found {}", file.path(),
                 keys.Full("block_count"), c->num_layers);
  }
  c->hidden_size = keys.Int("embedding_length");
  ReadWidths(file, keys, c);
  c->num_heads = keys.Int("attention.head_count");
  c->num_kv_heads = keys.Int("attention.head_count_kv", c->num_heads);
  c->head_dim =
      keys.Int("attention.key_length", c->num_heads > 0 ? c->hidden_size / c->num_heads : 0);
  if (keys.Int("attention.value_length", c->head_dim) != c->head_dim) {
    keys.Fail(keys.Full("attention.value_length"), "the same as attention.key_length");
  }
  c->per_layer_dim = keys.Int("embedding_length_per_layer_input", 256);
  c->num_kv_shared_layers =
      keys.Int("attention.shared_kv_layers", std::max<int64_t>(0, c->num_layers - kDefaultOwners));
  ReadSlidingPattern(file, keys, c);
  c->sliding_window = keys.Int("attention.sliding_window", 512);
  ReadSparsity(file, keys, c);
  c->rope_theta_full = keys.Float("rope.freq_base", 1e6f);
  c->rope_theta_sliding = keys.Float("rope.freq_base_swa", 1e4f);
  c->rms_norm_eps = keys.Float("attention.layer_norm_rms_epsilon", 1e-6f);
  c->altup_num_inputs = keys.Int("altup.num_inputs", 4);
  c->altup_active_idx = keys.Int("altup.active_idx", 0);
  c->final_logit_softcap = keys.Float("final_logit_softcapping", 30);
  c->max_position = keys.Int("context_length");
  G3N_RETURN_IF_ERROR(keys.status());
  const auto scaling = file.GetString(keys.Full("rope.scaling.type"));
  if (scaling && *scaling != "none") {
    return Error(StatusCode::kUnsupported, "{}: {}: expected none, found {}", file.path(),
                 keys.Full("rope.scaling.type"), *scaling);
  }
  G3N_ASSIGN_OR_RETURN(c->vocab_size, Rows(file, "token_embd.weight"));
  G3N_ASSIGN_OR_RETURN(c->laurel_rank, Rows(file, "blk.0.laurel_l.weight"));
  G3N_ASSIGN_OR_RETURN(c->vocab_size_per_layer, PerLayerVocab(file, keys, tokens));
  return keys.status();
}

void ReadGeneration(const GgufFile& file, const std::vector<std::string_view>* tokens,
                    ModelConfig* config) {
  const auto id = [&](const char* key) {
    const auto value = file.GetInt(std::string("tokenizer.ggml.") + key);
    const bool fits = value && *value >= 0 && *value < config->text.vocab_size;
    return fits ? std::optional(static_cast<int32_t>(*value)) : std::nullopt;
  };
  config->bos = id("bos_token_id").value_or(2);
  config->pad = id("padding_token_id").value_or(0);
  for (const auto& end : {id("eos_token_id"), id("eot_token_id"), FindToken(tokens, "<eos>"),
                          FindToken(tokens, "<end_of_turn>")}) {
    auto& ends = config->end_tokens;
    if (end && std::find(ends.begin(), ends.end(), *end) == ends.end()) ends.push_back(*end);
  }
  const auto number = [&](const char* key, double low, double high) -> std::optional<float> {
    const auto v = file.GetFloat(std::string("general.sampling.") + key);
    return v && *v >= low && *v <= high ? std::optional(static_cast<float>(*v)) : std::nullopt;
  };
  config->generation.temperature = number("temp", 0, 100);
  config->generation.top_p = number("top_p", 1e-6, 1);
  if (const auto k = number("top_k", 0, 1e6)) config->generation.top_k = static_cast<int>(*k);
}

}  // namespace

Result<ModelConfig> ParseGgufConfig(const GgufFile& file) {
  G3N_RETURN_IF_ERROR(CheckArchitecture(file));
  const auto* tokens = file.GetStrings("tokenizer.ggml.tokens");
  ModelConfig config;
  G3N_RETURN_IF_ERROR(ReadText(file, tokens, &config.text));
  ReadGeneration(file, tokens, &config);
  // The language model's file has no embedders, but its tokenizer may know the placeholders.
  MultimodalTokens& t = config.tokens;
  const int64_t vocab = config.text.vocab_size;
  for (const auto& [text, out] :
       {std::pair("<start_of_image>", &t.begin_image), std::pair("<image_soft_token>", &t.image),
        std::pair("<end_of_image>", &t.end_image), std::pair("<start_of_audio>", &t.begin_audio),
        std::pair("<audio_soft_token>", &t.audio), std::pair("<end_of_audio>", &t.end_audio)}) {
    const auto id = FindToken(tokens, text);
    *out = id && *id < vocab ? *id : -1;
  }
  config.end_tokens.erase(std::remove_if(config.end_tokens.begin(), config.end_tokens.end(),
                                         [&](int32_t id) { return id >= vocab; }),
                          config.end_tokens.end());
  G3N_RETURN_IF_ERROR(Validate(config, file.path()));
  return config;
}

}  // namespace gemma3n
