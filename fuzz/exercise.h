// What must hold for any bytes: a failure with one sentence, or an object whose every part can be
// used. Shared by the fuzzers and by the unit tests that replay what they found.
#pragma once

#include <string>
#include <string_view>

#include "base/file.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "require.h"

namespace gemma3n::fuzz {

inline unsigned Touch(const StoredTensor& tensor) {
  Require(!tensor.shape.empty() || tensor.elements() == 1, "a scalar has one value");
  Require(tensor.bytes > 0, "no tensor is empty");
  return static_cast<unsigned>(tensor.data[0]) +
         static_cast<unsigned>(tensor.data[tensor.bytes - 1]);
}

inline void ExerciseSafetensors(const std::string& path) {
  const auto file = SafetensorsFile::Open(path);
  if (FailedWell(file.status())) return;
  unsigned sum = 0;
  for (const auto& [name, tensor] : file->tensors()) sum += Touch(tensor);
  Require(sum < 1u << 30, "bytes are bytes");
}

inline void ExerciseConfig(const ModelConfig& config) {
  const TextConfig& c = config.text;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    const int64_t source = c.kv_source(i);
    Require(source >= 0 && source <= i && c.sliding[source] == c.sliding[i],
            "K/V have a source of their kind");
    Require(c.intermediate_size.at(i) > 0, "every layer has a width");
  }
  const std::string json = HubConfigJson(config);
  const auto again = ParseHubConfig(json, "", "written");
  Require(again.ok(), "what is written can be read");
  Require(again->text.intermediate_size == c.intermediate_size &&
              again->text.sliding == c.sliding && again->text.rms_norm_eps == c.rms_norm_eps &&
              again->multimodal == config.multimodal,
          "and says the same");
}

inline void ExerciseGguf(const std::string& path) {
  const auto file = GgufFile::Open(path);
  if (!FailedWell(file.status())) {
    unsigned sum = 0;
    for (const auto& [name, tensor] : file->tensors()) sum += Touch(tensor);
    for (const auto& [key, value] : file->metadata()) {
      Require(file->GetRaw(key).has_value(), "every value has its bytes");
      (void)file->GetInt(key), (void)file->GetFloat(key), (void)file->GetInts(key);
      if (const auto* strings = file->GetStrings(key)) {
        for (std::string_view s : *strings)
          sum += s.empty() ? 0 : static_cast<unsigned char>(s.back());
      }
    }
    Require(sum < 1u << 31, "bytes are bytes");
  }
  const auto checkpoint = Checkpoint::Open(path);
  if (FailedWell(checkpoint.status())) return;
  ExerciseConfig(checkpoint->config());
  (void)checkpoint->Require("layers.0.mlp.gate_proj.weight", {1, 1}).ok();
  (void)checkpoint->ChatTemplate().ok();
}

// config.json and, after a NUL, generation_config.json.
inline void ExerciseConfigText(std::string_view text) {
  const size_t end = text.find('\0');
  const auto config =
      ParseHubConfig(text.substr(0, end), end == std::string_view::npos ? "" : text.substr(end + 1),
                     "config.json");
  if (!FailedWell(config.status())) ExerciseConfig(*config);
}

}  // namespace gemma3n::fuzz
