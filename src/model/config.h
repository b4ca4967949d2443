// Dimensions, constants and token ids of a checkpoint: the one source of every number that the
// stages use.
//   HF Gemma3nConfig / Gemma3nTextConfig; GGUF keys "gemma3n.*".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

class GgufFile;

struct TextConfig {
  int64_t hidden_size = 0;                 // D
  int64_t num_layers = 0;                  // L
  std::vector<int64_t> intermediate_size;  // [L] MLP width F of each layer
  int64_t num_heads = 0;                   // query heads
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;              // d
  int64_t vocab_size = 0;            // rows of embed_tokens and logits
  int64_t vocab_size_per_layer = 0;  // ids at or above it use row 0 of the per-layer table
  int64_t per_layer_dim = 0;         // P, hidden_size_per_layer_input
  int64_t num_kv_shared_layers = 0;  // the last ones, which own no K/V
  std::vector<bool> sliding;         // [L] true: sliding_attention, false: full_attention
  int64_t sliding_window = 0;        // keys visible in sliding layers, the query's own included
  std::vector<float> sparsity_z;     // [L] gaussian top-k multiplier icdf(sparsity); 0: dense layer
  float rope_theta_full = 0, rope_theta_sliding = 0;
  float rms_norm_eps = 0;
  int64_t altup_num_inputs = 0, altup_active_idx = 0;
  bool altup_correct_scale = true;
  int64_t laurel_rank = 0;
  float final_logit_softcap = 0;  // 0: none
  int64_t max_position = 0;       // context length

  int64_t first_kv_shared() const { return num_layers - num_kv_shared_layers; }
  // The layer whose K/V layer i reads: itself below first_kv_shared(), else the last owning layer
  // of i's kind.
  int64_t kv_source(int64_t i) const;
  int64_t q_dim() const { return num_heads * head_dim; }
  int64_t kv_dim() const { return num_kv_heads * head_dim; }
};

// Ids of the multimodal placeholders; -1 where a text-only checkpoint has none.
struct MultimodalTokens {
  int32_t begin_image = -1, image = -1, end_image = -1;
  int32_t begin_audio = -1, audio = -1, end_audio = -1;
  int64_t vision_vocab_offset = -1, vision_vocab_size = 0;  // hard vision embeddings
  int64_t audio_vocab_offset = -1, audio_vocab_size = 0;    // hard audio embeddings
  int64_t image_soft_tokens = 256, audio_soft_tokens = 188;
};

// The picture tower and its embedder (HF vision_config). Channel counts come from the weights.
struct VisionConfig {
  float rms_norm_eps = 1e-6f;  // of embed_vision; the tower's own norms use 1e-6 (timm)
  int64_t image_size = 768;    // pixels a side, preprocessor_config.json's choice: 256, 512 or 768
};

// The sound tower and its embedder (HF Gemma3nAudioConfig).
struct AudioConfig {
  int64_t hidden_size = 1536;
  int64_t num_layers = 12;         // conf_num_hidden_layers
  int64_t num_heads = 8;           // conf_num_attention_heads
  int64_t context_left = 13;       // conf_attention_context_left: visible keys, the query's own included
  int64_t context_right = 0;       // conf_attention_context_right
  int64_t chunk_size = 12;         // conf_attention_chunk_size
  float logit_cap = 50;            // conf_attention_logit_cap
  int64_t conv_kernel_size = 5;    // conf_conv_kernel_size
  int64_t reduction_factor = 4;    // conf_reduction_factor
  float residual_weight = 0.5f;    // conf_residual_weight, of the feed-forward halves
  float rms_norm_eps = 1e-6f;      // every RMS norm of the tower and of embed_audio
  float group_norm_eps = 1e-3f;    // sscp_conv_group_norm_eps
  int64_t feature_size = 128;      // input_feat_size, mel bins
  std::vector<int64_t> sscp_channels = {128, 32};  // sscp_conv_channel_size
};

// Sampling defaults of generation_config.json; unset where the checkpoint says nothing.
struct GenerationDefaults {
  std::optional<bool> do_sample;
  std::optional<float> temperature, top_p;
  std::optional<int> top_k;
};

struct ModelConfig {
  TextConfig text;
  bool multimodal = false;  // Gemma3nForConditionalGeneration rather than Gemma3nForCausalLM
  MultimodalTokens tokens;
  VisionConfig vision;
  AudioConfig audio;
  int32_t bos = 2, pad = 0;
  std::vector<int32_t> end_tokens;  // generation stops on any of these
  GenerationDefaults generation;
};

// config.json's text (old and new style: rope_theta / rope_local_base_freq or rope_parameters; int
// or list of widths), joined by generation_config.json's where not empty. `name` is the file's name
// for messages. Errors: kCorruptFile (not JSON, a field of the wrong kind or range), kUnsupported
// (another architecture, rope scaling, attention bias, another activation).
Result<ModelConfig> ParseHubConfig(std::string_view config_json, std::string_view generation_json,
                                   const std::string& name);

// The image size of preprocessor_config.json, or of processor_config.json (transformers 5).
// Errors: kCorruptFile.
Status ReadPreprocessorConfig(std::string_view json, const std::string& name, ModelConfig* config);

// From the metadata of a llama.cpp "gemma3n" file. Errors: as above.
Result<ModelConfig> ParseGgufConfig(const GgufFile& file);

// config.json's text for a text-only or multimodal checkpoint of this shape, for writing slices: HF
// reads it back.
std::string HubConfigJson(const ModelConfig& config);

// Consistency of every field with the others and with sane limits. Called by both parsers.
Status Validate(const ModelConfig& config, const std::string& name);

// The sparsity whose NormalIcdf is z (0 for 0): what config.json states. Short decimals are preferred.
float SparsityOf(float z);

// Float32 normal inverse CDF as torch.distributions.Normal(0, 1).icdf computes it; s in (0, 1).
float NormalIcdf(float s);

}  // namespace gemma3n
