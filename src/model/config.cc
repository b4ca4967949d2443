// What every config has in common, whatever file it comes from: consistency, K/V sources, the
// sparsity constant.
#include "model/config.h"

#include <algorithm>
#include <cmath>

namespace gemma3n {
namespace {

// Far above any Gemma 3n; products of three of them stay below 2^63.
constexpr int64_t kMaxSize = int64_t{1} << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr float kMaxSparsityZ = 5.5f;  // no float32 below 1 has a larger quantile
constexpr int64_t kMaxContext = int64_t{1} << 24;

// Collects the first violation.
class Checker {
 public:
  explicit Checker(const std::string& name) : name_(name) {}

  void InRange(const char* field, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return;
    Fail("{}: expected {} to {}, found {}", field, low, high, value);
  }
  void Positive(const char* field, float value) {
    if (std::isfinite(value) && value > 0) return;
    Fail("{}: expected a positive number, found {}", field, value);
  }
  template <typename... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    if (!status_.ok()) return;
    status_ = Error(StatusCode::kCorruptFile, "{}: {}", name_,
                    fmt::format(format, std::forward<Args>(args)...));
  }
  const Status& status() const { return status_; }

 private:
  const std::string& name_;
  Status status_;
};

template <typename T>
void CheckPerLayer(Checker& check, const char* field, const std::vector<T>& values,
                   int64_t layers) {
  if (static_cast<int64_t>(values.size()) == layers) return;
  check.Fail("{}: expected a value for each of {} layers, found {}", field, layers, values.size());
}

void CheckSizes(Checker& check, const TextConfig& c) {
  check.InRange("num_hidden_layers", c.num_layers, 1, kMaxLayers);
  check.InRange("hidden_size", c.hidden_size, 1, kMaxSize);
  check.InRange("num_attention_heads", c.num_heads, 1, 4096);
  check.InRange("num_key_value_heads", c.num_kv_heads, 1, 4096);
  check.InRange("head_dim", c.head_dim, 2, 65536);
  check.InRange("vocab_size", c.vocab_size, 1, kMaxVocab);
  check.InRange("vocab_size_per_layer_input", c.vocab_size_per_layer, 1, kMaxVocab);
  check.InRange("hidden_size_per_layer_input", c.per_layer_dim, 1, kMaxSize);
  check.InRange("laurel_rank", c.laurel_rank, 1, kMaxSize);
  check.InRange("altup_num_inputs", c.altup_num_inputs, 1, 16);
  check.InRange("altup_active_idx", c.altup_active_idx, 0, c.altup_num_inputs - 1);
  check.InRange("sliding_window", c.sliding_window, 1, kMaxContext);
  check.InRange("max_position_embeddings", c.max_position, 1, kMaxContext);
  check.InRange("num_kv_shared_layers", c.num_kv_shared_layers, 0, c.num_layers - 1);
  if (c.num_kv_heads > 0 && c.num_heads % c.num_kv_heads != 0) {
    check.Fail("num_attention_heads: expected a multiple of num_key_value_heads {}, found {}",
               c.num_kv_heads, c.num_heads);
  }
  if (c.head_dim % 2 != 0) {
    check.Fail("head_dim: expected an even number (rotary halves), found {}", c.head_dim);
  }
  check.Positive("rms_norm_eps", c.rms_norm_eps);
  check.Positive("rope_theta of full attention", c.rope_theta_full);
  check.Positive("rope_theta of sliding attention", c.rope_theta_sliding);
  if (!std::isfinite(c.final_logit_softcap) || c.final_logit_softcap < 0) {
    check.Fail("final_logit_softcapping: expected a number of at least 0, found {}",
               c.final_logit_softcap);
  }
}

void CheckLayers(Checker& check, const TextConfig& c) {
  CheckPerLayer(check, "intermediate_size", c.intermediate_size, c.num_layers);
  CheckPerLayer(check, "layer_types", c.sliding, c.num_layers);
  CheckPerLayer(check, "activation_sparsity_pattern", c.sparsity_z, c.num_layers);
  if (!check.status().ok()) return;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    if (c.intermediate_size[i] < 1 || c.intermediate_size[i] > kMaxSize) {
      check.Fail("intermediate_size of layer {}: expected 1 to {}, found {}", i, kMaxSize,
                 c.intermediate_size[i]);
    }
    if (!(std::fabs(c.sparsity_z[i]) <= kMaxSparsityZ)) {
      check.Fail("activation sparsity of layer {}: expected a multiplier of -{} to {}, found {}", i,
                 kMaxSparsityZ, kMaxSparsityZ, c.sparsity_z[i]);
    }
    if (c.kv_source(i) < 0) {
      check.Fail(
          "num_kv_shared_layers: layer {} ({} attention) shares keys and values, but none of the "
          "{} layers that own theirs is of its kind",
          i, c.sliding[i] ? "sliding" : "full", c.first_kv_shared());
    }
  }
}

// Where hard embeddings exist, they cover every id from the first to the vocabulary's end: the
// reference looks each up.
void CheckMultimodal(Checker& check, const ModelConfig& config) {
  const MultimodalTokens& t = config.tokens;
  const int64_t vocab = config.text.vocab_size;
  for (const auto& [field, id] :
       {std::pair("boi_token_id", t.begin_image), std::pair("image_token_id", t.image),
        std::pair("eoi_token_id", t.end_image), std::pair("boa_token_id", t.begin_audio),
        std::pair("audio_token_id", t.audio), std::pair("eoa_token_id", t.end_audio)}) {
    check.InRange(field, id, -1, vocab - 1);
  }
  check.InRange("vision_soft_tokens_per_image", t.image_soft_tokens, 1, 65536);
  check.InRange("audio_soft_tokens_per_image", t.audio_soft_tokens, 1, 65536);
  if (!config.multimodal) return;
  check.InRange("vision_config.vocab_offset", t.vision_vocab_offset, 0, vocab);
  check.InRange("vision_config.vocab_size", t.vision_vocab_size, 1, kMaxVocab);
  check.InRange("audio_config.vocab_offset", t.audio_vocab_offset, t.vision_vocab_offset, vocab);
  check.InRange("audio_config.vocab_size", t.audio_vocab_size, 1, kMaxVocab);
  if (!check.status().ok()) return;
  if (t.vision_vocab_offset + t.vision_vocab_size < t.audio_vocab_offset) {
    check.Fail("vision_config: ids {} to {} have no embedding before audio_config.vocab_offset {}",
               t.vision_vocab_offset + t.vision_vocab_size, t.audio_vocab_offset - 1,
               t.audio_vocab_offset);
  }
  if (t.audio_vocab_offset + t.audio_vocab_size < vocab) {
    check.Fail("audio_config: ids {} to {} have no embedding",
               t.audio_vocab_offset + t.audio_vocab_size, vocab - 1);
  }
}

// Inverse error function of y in (-1, 1): Winitzki's approximation, then Halley's method to double
// precision.
double InverseErf(double y) {
  constexpr double kA = 0.147, kPi = 3.14159265358979323846;
  const double log_term = std::log1p(-y * y);
  const double half = 2 / (kPi * kA) + log_term / 2;
  double x = std::copysign(std::sqrt(std::sqrt(half * half - log_term / kA) - half), y);
  for (int i = 0; i < 4; ++i) {
    // In the tails 1 - erf(x) is taken directly: the difference of two numbers near 1 would lose
    // digits.
    const double error = y > 0.5    ? (1 - y) - std::erfc(x)
                         : y < -0.5 ? std::erfc(-x) - (1 + y)
                                    : std::erf(x) - y;
    const double step = error / (2 / std::sqrt(kPi) * std::exp(-x * x));
    x -= step / (1 + x * step);
  }
  return x;
}

}  // namespace

int64_t TextConfig::kv_source(int64_t i) const {
  if (i < first_kv_shared()) return i;
  for (int64_t j = first_kv_shared() - 1; j >= 0; --j) {
    if (sliding[j] == sliding[i]) return j;
  }
  return -1;
}

Status Validate(const ModelConfig& config, const std::string& name) {
  Checker check(name);
  CheckSizes(check, config.text);
  G3N_RETURN_IF_ERROR(check.status());
  CheckLayers(check, config.text);
  CheckMultimodal(check, config);
  for (int32_t id : config.end_tokens) {
    check.InRange("eos_token_id", id, 0, config.text.vocab_size - 1);
  }
  check.InRange("bos_token_id", config.bos, 0, config.text.vocab_size - 1);
  check.InRange("pad_token_id", config.pad, -1, config.text.vocab_size - 1);
  return check.status();
}

// torch evaluates loc + scale * erfinv(2 s - 1) * sqrt(2) in float32, its erfinv being correct to
// the last bit.
float NormalIcdf(float s) {
  const float y = 2 * s - 1;
  return static_cast<float>(InverseErf(y)) * static_cast<float>(std::sqrt(2.0));
}

}  // namespace gemma3n
