// config.json and generation_config.json of a hub checkpoint.   HF Gemma3nConfig,
// Gemma3nTextConfig.
#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/json.h"
#include "model/config.h"
#include "model/config_multimodal.h"
#include "model/json_fields.h"

namespace gemma3n {
namespace {

using internal::JsonFields;
using nlohmann::json;

constexpr char kMultimodalType[] = "gemma3n", kTextType[] = "gemma3n_text";

// The library's defaults (E4B): what a field means where it is absent.
TextConfig DefaultText() {
  TextConfig c;
  c.hidden_size = 2048;
  c.num_layers = 35;
  c.num_heads = 8;
  c.num_kv_heads = 2;
  c.head_dim = 256;
  c.vocab_size = 262400;
  c.vocab_size_per_layer = 262144;
  c.per_layer_dim = 256;
  c.num_kv_shared_layers = 15;
  c.sliding_window = 512;
  c.rope_theta_full = 1e6f;
  c.rope_theta_sliding = 1e4f;
  c.rms_norm_eps = 1e-6f;
  c.altup_num_inputs = 4;
  c.altup_active_idx = 0;
  c.laurel_rank = 64;
  c.final_logit_softcap = 30;
  c.max_position = 32768;
  return c;
}

constexpr int64_t kDefaultWidth = 16384;

// What the reference can express and this engine does not compute.
Status CheckSupported(JsonFields& f) {
  const auto activation = f.String("hidden_activation");
  if (activation && *activation != "gelu_pytorch_tanh") {
    return Error(StatusCode::kUnsupported,
                 "{}: hidden_activation: expected gelu_pytorch_tanh, found {}", f.where(),
                 *activation);
  }
  bool bias = false;
  f.Bool("attention_bias", &bias);
  if (bias) {
    return Error(StatusCode::kUnsupported, "{}: attention_bias: biases are not handled", f.where());
  }
  return f.status();
}

// Rotary settings of one kind of layer: an object with rope_theta and rope_type "default".
Status ReadRopeEntry(const json& entry, const std::string& where, float* theta) {
  if (!entry.is_object()) {
    return Error(StatusCode::kCorruptFile, "{}: expected an object", where);
  }
  JsonFields f(entry, where);
  for (const char* key : {"rope_type", "type"}) {
    const auto type = f.String(key);
    if (type && *type != "default") {
      return Error(StatusCode::kUnsupported, "{}: {}: expected default (no scaling), found {}",
                   where, key, *type);
    }
  }
  f.Float("rope_theta", theta);
  return f.status();
}

// New style: rope_parameters by kind of layer. Old style: rope_theta, rope_local_base_freq,
// rope_scaling.
Status ReadRope(JsonFields& f, TextConfig* c) {
  f.Float("rope_theta", &c->rope_theta_full);
  f.Float("rope_local_base_freq", &c->rope_theta_sliding);
  if (const json* scaling = f.Find("rope_scaling")) {
    float ignored = 0;
    G3N_RETURN_IF_ERROR(ReadRopeEntry(*scaling, f.where() + ": rope_scaling", &ignored));
  }
  const json* parameters = f.Find("rope_parameters");
  if (parameters == nullptr) return f.status();
  const std::string where = f.where() + ": rope_parameters";
  if (!parameters->is_object()) {
    return Error(StatusCode::kCorruptFile, "{}: expected an object", where);
  }
  JsonFields kinds(*parameters, where);
  const json* full = kinds.Find("full_attention");
  const json* sliding = kinds.Find("sliding_attention");
  if (full != nullptr) {
    G3N_RETURN_IF_ERROR(ReadRopeEntry(*full, where + ".full_attention", &c->rope_theta_full));
  }
  if (sliding != nullptr) {
    G3N_RETURN_IF_ERROR(
        ReadRopeEntry(*sliding, where + ".sliding_attention", &c->rope_theta_sliding));
  }
  if (full == nullptr && sliding == nullptr) {
    G3N_RETURN_IF_ERROR(ReadRopeEntry(*parameters, where, &c->rope_theta_full));
  }
  return f.status();
}

Status ReadLayerTypes(JsonFields& f, TextConfig* c) {
  const json* types = f.Find("layer_types");
  if (types == nullptr) {
    for (int64_t i = 0; i < c->num_layers; ++i) c->sliding.push_back((i + 1) % 5 != 0);
    return OkStatus();
  }
  if (!types->is_array()) f.Fail("layer_types", "a list of strings");
  G3N_RETURN_IF_ERROR(f.status());
  for (const json& type : *types) {
    const std::string text = type.is_string() ? type.get<std::string>() : DumpJson(type);
    if (text != "sliding_attention" && text != "full_attention") {
      return Error(StatusCode::kUnsupported,
                   "{}: layer_types: expected sliding_attention or full_attention, found {}",
                   f.where(), text.substr(0, 60));
    }
    c->sliding.push_back(text == "sliding_attention");
  }
  return OkStatus();
}

// Sparsity s of each layer becomes the multiplier z of the standard deviation.
Status ReadSparsity(JsonFields& f, TextConfig* c) {
  std::vector<float> sparsity(static_cast<size_t>(c->num_layers), 0.0f);
  if (c->num_layers > 10) std::fill_n(sparsity.begin(), 10, 0.95f);
  f.Floats("activation_sparsity_pattern", &sparsity);
  G3N_RETURN_IF_ERROR(f.status());
  for (float s : sparsity) {
    if (s < 0 || s >= 1) {
      return Error(StatusCode::kCorruptFile,
                   "{}: activation_sparsity_pattern: expected numbers in [0, 1), found {}",
                   f.where(), s);
    }
    // z = 0 stands for a dense layer, but s = 0.5 cuts at the mean: the smallest z does too.
    const float z = s > 0 ? NormalIcdf(s) : 0;
    c->sparsity_z.push_back(s > 0 && z == 0 ? std::numeric_limits<float>::denorm_min() : z);
  }
  return OkStatus();
}

Status ReadText(JsonFields& f, TextConfig* c) {
  *c = DefaultText();
  G3N_RETURN_IF_ERROR(CheckSupported(f));
  f.Int("hidden_size", &c->hidden_size);
  f.Int("num_hidden_layers", &c->num_layers);
  f.Int("num_attention_heads", &c->num_heads);
  f.Int("num_key_value_heads", &c->num_kv_heads);
  f.Int("head_dim", &c->head_dim);
  f.Int("vocab_size", &c->vocab_size);
  f.Int("vocab_size_per_layer_input", &c->vocab_size_per_layer);
  f.Int("hidden_size_per_layer_input", &c->per_layer_dim);
  f.Int("num_kv_shared_layers", &c->num_kv_shared_layers);
  f.Int("sliding_window", &c->sliding_window);
  f.Float("rms_norm_eps", &c->rms_norm_eps);
  f.Int("altup_num_inputs", &c->altup_num_inputs);
  f.Int("altup_active_idx", &c->altup_active_idx);
  f.Bool("altup_correct_scale", &c->altup_correct_scale);
  f.Int("laurel_rank", &c->laurel_rank);
  if (f.IsNull("final_logit_softcapping")) c->final_logit_softcap = 0;
  f.Float("final_logit_softcapping", &c->final_logit_softcap);
  f.Int("max_position_embeddings", &c->max_position);
  G3N_RETURN_IF_ERROR(f.status());
  if (c->num_layers < 1 || c->num_layers > 1024) {  // before vectors of that length are made
    return Error(StatusCode::kCorruptFile, "{}: num_hidden_layers: expected 1 to 1024, found {}",
                 f.where(), c->num_layers);
  }
  c->intermediate_size.assign(static_cast<size_t>(c->num_layers), kDefaultWidth);
  f.IntOrInts("intermediate_size", c->num_layers, &c->intermediate_size);
  G3N_RETURN_IF_ERROR(ReadRope(f, c));
  G3N_RETURN_IF_ERROR(ReadLayerTypes(f, c));
  return ReadSparsity(f, c);
}

Status ReadGeneration(JsonFields& f, ModelConfig* config) {
  GenerationDefaults& g = config->generation;
  const auto set = [&](const char* key, auto read, auto value, auto* out) {
    if (f.Find(key) == nullptr) return;
    (f.*read)(key, &value);
    *out = value;
  };
  set("do_sample", &JsonFields::Bool, false, &g.do_sample);
  set("temperature", &JsonFields::Float, 0.0f, &g.temperature);
  set("top_p", &JsonFields::Float, 0.0f, &g.top_p);
  int64_t top_k = 0;
  f.Int("top_k", &top_k);
  f.TokenIds("eos_token_id", &config->end_tokens);
  G3N_RETURN_IF_ERROR(f.status());
  if (g.temperature && *g.temperature < 0) f.Fail("temperature", "a number of at least 0");
  if (g.top_p && (*g.top_p <= 0 || *g.top_p > 1)) f.Fail("top_p", "a number in (0, 1]");
  if (top_k < 0 || top_k > std::numeric_limits<int>::max())
    f.Fail("top_k", "an integer of at least 0");
  if (f.Find("top_k") != nullptr) g.top_k = static_cast<int>(top_k);
  return f.status();
}

// "gemma3n" or "gemma3n_text"; kUnsupported for anything else.
Result<bool> IsMultimodal(JsonFields& f) {
  auto type = f.String("model_type");
  const json* architectures = f.Find("architectures");
  std::string architecture;
  if (architectures != nullptr && architectures->is_array() && !architectures->empty() &&
      architectures->front().is_string()) {
    architecture = architectures->front().get<std::string>();
  }
  G3N_RETURN_IF_ERROR(f.status());
  if (!type && architecture == "Gemma3nForConditionalGeneration") type = kMultimodalType;
  if (!type && architecture == "Gemma3nForCausalLM") type = kTextType;
  if (type == kMultimodalType) return true;
  if (type == kTextType) return false;
  return Error(StatusCode::kUnsupported, "{}: model_type: expected {} or {}, found {}", f.where(),
               kMultimodalType, kTextType, type ? *type : "nothing");
}

Status CheckNotQuantized(const JsonFields& f) {
  const json* quantization = f.Find("quantization_config");
  if (quantization == nullptr) return OkStatus();
  const auto method =
      quantization->is_object() ? quantization->find("quant_method") : quantization->end();
  return Error(
      StatusCode::kUnsupported,
      "{}: quantization_config: weights quantised by {} are not handled; expected BF16, F16 "
      "or F32",
      f.where(),
      quantization->is_object() && method != quantization->end() && method->is_string()
          ? method->get<std::string>()
          : "another library");
}

}  // namespace

Result<ModelConfig> ParseHubConfig(std::string_view config_json, std::string_view generation_json,
                                   const std::string& name) {
  G3N_ASSIGN_OR_RETURN(const json root, ParseJson(config_json, name));
  if (!root.is_object()) return Error(StatusCode::kCorruptFile, "{}: expected a JSON object", name);
  JsonFields top(root, name);
  ModelConfig config;
  G3N_ASSIGN_OR_RETURN(config.multimodal, IsMultimodal(top));
  G3N_RETURN_IF_ERROR(CheckNotQuantized(top));
  const json* text = &root;
  if (config.multimodal) {
    G3N_ASSIGN_OR_RETURN(text, top.Object("text_config"));
    G3N_RETURN_IF_ERROR(internal::ReadMultimodal(top, &config));
  }
  JsonFields fields(*text, config.multimodal ? name + ": text_config" : name);
  G3N_RETURN_IF_ERROR(ReadText(fields, &config.text));

  // The whole model's ids, then the text model's, where both are given.
  config.end_tokens = {1};
  for (JsonFields* f : {&fields, &top}) {
    f->TokenId("bos_token_id", &config.bos);
    f->TokenId("pad_token_id", &config.pad);
    f->TokenIds("eos_token_id", &config.end_tokens);
    G3N_RETURN_IF_ERROR(f->status());
  }
  if (!generation_json.empty()) {
    const std::string generation_name = "generation_config.json beside " + name;
    G3N_ASSIGN_OR_RETURN(const json generation, ParseJson(generation_json, generation_name));
    if (!generation.is_object()) {
      return Error(StatusCode::kCorruptFile, "{}: expected a JSON object", generation_name);
    }
    JsonFields f(generation, generation_name);
    G3N_RETURN_IF_ERROR(ReadGeneration(f, &config));
  }
  G3N_RETURN_IF_ERROR(Validate(config, name));
  return config;
}

}  // namespace gemma3n
