// The metadata of a written GGUF file: the model's dimensions and its tokenizer, under llama.cpp's
// keys.
#pragma once

#include <set>
#include <string>

#include "convert/convert.h"
#include "formats/gguf.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// Writes keys and remembers which, so that what another file holds besides can be copied.
class MetadataWriter {
 public:
  explicit MetadataWriter(GgufWriter& writer) : writer_(writer) {}

  // general.* and gemma3n.*; config is the written file's.
  void Model(const ModelConfig& config, GgufType type, const std::string& name);
  // tokenizer.*: exactly config.text.vocab_size tokens, since llama.cpp takes the vocabulary's size
  // from their number; slots without a piece become unused tokens, pieces beyond it are left out.
  void Vocabulary(const Tokenizer& tokenizer, const ModelConfig& config,
                  const std::optional<std::string>& chat_template);
  // Everything in `source` that was not written, except what describes the old file's layout.
  void CopyRest(const GgufFile& source);

 private:
  const std::string& Key(std::string key);

  GgufWriter& writer_;
  std::set<std::string> written_;
  std::string last_;
};

}  // namespace gemma3n
