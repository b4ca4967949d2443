// A checkpoint on disk, whatever its format: config, tensors by their hub names, the tokenizer's
// and template's source.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/config.h"
#include "tensor/stored_tensor.h"

namespace gemma3n {

class Checkpoint {
 public:
  // A hub directory (config.json beside *.safetensors), a GGUF file of any name, or a directory that holds just one.
  // Errors name the path.
  static Result<Checkpoint> Open(const std::string& path);

  // A GGUF file of the towers and embedders that goes beside a language model's (llama.cpp's mmproj), under the
  // hub's names. Errors: as above, and kUnsupported for another model's.
  static Result<Checkpoint> OpenMmproj(const std::string& path);

  const std::string& path() const { return path_; }
  bool is_gguf() const { return gguf_ != nullptr; }
  const GgufFile* gguf() const { return gguf_.get(); }
  const ModelConfig& config() const { return config_; }

  // Text tensors by their name below the text model, in either format: "embed_tokens.weight",
  // "layers.3.self_attn.q_proj.weight", "altup_projections.0.weight", ... The prefixes
  // model.language_model., language_model.model. and model. are taken off; llama.cpp's names are
  // translated, its stacked altup_proj split. Multimodal tensors keep their prefix:
  // "vision_tower.timm_model....", "audio_tower....", "embed_vision....".
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  // Hub tensors in dtypes that the engine does not compute with, by their name on disk.
  std::vector<std::string> skipped() const;
  // Size of the weight files.
  uint64_t file_bytes() const;

  // Errors: kNotFound naming the file and the tensor; kUnsupported when its ggml type is unknown;
  // kCorruptFile when the shape differs from `shape` (expected and found in the message).
  Result<StoredTensor> Require(const std::string& name, const std::vector<int64_t>& shape) const;

  // The checkpoint's own chat template (chat_template.jinja, chat_template.json,
  // tokenizer_config.json, tokenizer.chat_template of a GGUF), if it has one. Errors: kCorruptFile.
  Result<std::optional<std::string>> ChatTemplate() const;

 private:
  Checkpoint() = default;
  Status OpenHub(const std::string& directory);
  Status OpenGguf(const std::string& path);
  // The name that the file has for a tensor, if it is one of the format's.
  std::optional<std::string> OwnName(const std::string& hub_name) const;
  // "file: tensor name", both as on disk.
  std::string Where(const std::string& name) const;

  std::string path_;
  ModelConfig config_;
  std::unique_ptr<GgufFile> gguf_;
  bool mmproj_ = false;
  std::unique_ptr<SafetensorsCheckpoint> hub_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, uint32_t> unknown_types_;
};

// "layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight"; nullopt for names that llama.cpp has
// no place for.
std::optional<std::string> GgufTensorName(const std::string& hub_name);
// The inverse; altup_proj and altup_unembd_proj (three matrices in one) have none.
std::optional<std::string> HubTensorName(const std::string& gguf_name);

// A hub tensor's name below the text model ("model.language_model." and its variants taken off), or below "model.".
std::string StripHubPrefix(const std::string& name);

}  // namespace gemma3n
