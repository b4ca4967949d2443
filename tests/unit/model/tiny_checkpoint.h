// A small random text checkpoint as a hub directory, for tests that need one on disk.
#pragma once

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n::testing {

struct TinyModel {
  int64_t hidden = 64, layers = 6, shared = 2, heads = 2, kv_heads = 1, head_dim = 32, vocab = 48,
          per_layer_vocab = 40, per_layer_dim = 32, laurel = 32;
  std::vector<int64_t> widths = {96, 96, 64, 96, 96, 64};
  std::vector<std::string> types = {"sliding_attention", "full_attention",    "sliding_attention",
                                    "full_attention",    "sliding_attention", "full_attention"};
  DType dtype = DType::kBF16;
  bool shared_kv_tensors = false;  // hub releases carry them
  bool multimodal = false;         // with a few tensors of the towers
  std::string prefix = "model.";

  nlohmann::json Text() const {
    return {{"model_type", "gemma3n_text"},
            {"hidden_size", hidden},
            {"num_hidden_layers", layers},
            {"intermediate_size", widths},
            {"num_attention_heads", heads},
            {"num_key_value_heads", kv_heads},
            {"head_dim", head_dim},
            {"vocab_size", vocab},
            {"vocab_size_per_layer_input", per_layer_vocab},
            {"hidden_size_per_layer_input", per_layer_dim},
            {"num_kv_shared_layers", shared},
            {"layer_types", types},
            {"laurel_rank", laurel},
            {"sliding_window", 8},
            {"max_position_embeddings", 128},
            {"activation_sparsity_pattern", std::vector<double>(static_cast<size_t>(layers), 0.0)}};
  }
  nlohmann::json Config() const {
    if (!multimodal) return Text();
    return {{"model_type", "gemma3n"},
            {"text_config", Text()},
            {"boi_token_id", 38},
            {"boa_token_id", 39},
            {"eoi_token_id", 40},
            {"image_token_id", 41},
            {"eoa_token_id", 44},
            {"audio_token_id", 45},
            {"unknown_field", "kept"},
            {"vision_config", {{"vocab_offset", 40}, {"vocab_size", 4}}},
            {"audio_config", {{"vocab_offset", 44}, {"vocab_size", 4}}}};
  }

  // Every tensor's hub name below the text model and its shape.
  std::map<std::string, std::vector<int64_t>> Shapes() const {
    std::map<std::string, std::vector<int64_t>> s;
    s["embed_tokens.weight"] = {vocab, hidden};
    s["embed_tokens_per_layer.weight"] = {per_layer_vocab, layers * per_layer_dim};
    s["per_layer_model_projection.weight"] = {layers * per_layer_dim, hidden};
    s["per_layer_projection_norm.weight"] = {per_layer_dim};
    s["norm.weight"] = {hidden};
    for (int j = 0; j < 3; ++j) {
      s[fmt::format("altup_projections.{}.weight", j)] = {hidden, hidden};
      s[fmt::format("altup_unembed_projections.{}.weight", j)] = {hidden, hidden};
    }
    for (int64_t i = 0; i < layers; ++i) AddLayer(i, s);
    return s;
  }

  // Writes config.json and model.safetensors into the directory.
  void Write(const TempDir& dir) const {
    dir.Write("config.json", Config().dump());
    std::vector<SafetensorsWriter::Entry> entries;
    for (const auto& [name, shape] : Shapes()) entries.push_back({prefix + name, dtype, shape});
    if (multimodal) {
      entries.push_back({"model.vision_tower.timm_model.conv.weight", dtype, {2, 3, 3, 3}});
      entries.push_back({"model.audio_tower.conformer.0.norm.weight", dtype, {6}});
      entries.push_back({"model.embed_vision.embedding.weight", dtype, {4, 8}});
    }
    WriteTensors(dir / "model.safetensors", std::move(entries));
  }

  void WriteTensors(const std::string& path, std::vector<SafetensorsWriter::Entry> entries) const {
    auto writer = SafetensorsWriter::Create(path, entries);
    uint32_t state = 1;
    for (const auto& e : entries) {
      int64_t n = 1;
      for (int64_t d : e.shape) n *= d;
      std::vector<uint16_t> halves;
      std::vector<float> floats;
      for (int64_t i = 0; i < n; ++i) {
        state = state * 1664525 + 1013904223;
        const float v = (static_cast<float>(state >> 8) / (1 << 24) - 0.5f);
        uint32_t bits;
        std::memcpy(&bits, &v, 4);
        dtype == DType::kF32 ? floats.push_back(v)
                             : halves.push_back(static_cast<uint16_t>(bits >> 16));
      }
      const void* data = floats.empty() ? static_cast<const void*>(halves.data()) : floats.data();
      const size_t bytes = floats.size() * 4 + halves.size() * 2;
      if (!writer->Append(data, bytes).ok()) std::abort();
    }
    if (!writer->Commit().ok()) std::abort();
  }

 private:
  void AddLayer(int64_t i, std::map<std::string, std::vector<int64_t>>& s) const {
    const std::string p = fmt::format("layers.{}.", i);
    const int64_t d = hidden, f = widths[static_cast<size_t>(i)];
    for (const char* norm :
         {"input_layernorm.weight", "post_attention_layernorm.weight",
          "pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight",
          "altup.correct_output_scale", "altup.router_norm.weight",
          "laurel.post_laurel_norm.weight", "post_per_layer_input_norm.weight"}) {
      s[p + norm] = {d};
    }
    s[p + "self_attn.q_proj.weight"] = {heads * head_dim, d};
    s[p + "self_attn.o_proj.weight"] = {d, heads * head_dim};
    s[p + "self_attn.q_norm.weight"] = {head_dim};
    if (i < layers - shared || shared_kv_tensors) {
      s[p + "self_attn.k_proj.weight"] =
          s[p + "self_attn.v_proj.weight"] = {kv_heads * head_dim, d};
      s[p + "self_attn.k_norm.weight"] = {head_dim};
    }
    s[p + "mlp.gate_proj.weight"] = s[p + "mlp.up_proj.weight"] = {f, d};
    s[p + "mlp.down_proj.weight"] = {d, f};
    s[p + "altup.correction_coefs.weight"] = {4, 4};
    s[p + "altup.prediction_coefs.weight"] = {16, 4};
    s[p + "altup.modality_router.weight"] = {4, d};
    s[p + "laurel.linear_left.weight"] = {laurel, d};
    s[p + "laurel.linear_right.weight"] = {d, laurel};
    s[p + "per_layer_input_gate.weight"] = {per_layer_dim, d};
    s[p + "per_layer_projection.weight"] = {d, per_layer_dim};
  }
};

}  // namespace gemma3n::testing
