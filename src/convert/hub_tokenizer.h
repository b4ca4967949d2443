// The tokenizer and generation files of a hub directory, made from a GGUF file's metadata.
#pragma once

#include <optional>
#include <string>

#include "formats/gguf.h"
#include "model/config.h"

namespace gemma3n {

// tokenizer.model: a SentencePiece BPE model (protobuf) of the file's pieces. nullopt where the
// file has no such vocabulary.
std::optional<std::string> SentencePieceModel(const GgufFile& file);

// tokenizer_config.json: names the tokenizer's class, and holds the chat template where there is
// one.
std::string TokenizerConfigJson(const GgufFile& file);

// generation_config.json: end tokens and sampling defaults.
std::string GenerationConfigJson(const ModelConfig& config);

}  // namespace gemma3n
