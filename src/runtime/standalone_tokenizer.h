// A tokenizer without its model, for those who only count or encode.
#pragma once

#include <string>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// The tokenizer of what is at `path`: a checkpoint (with the placeholders its config names), or a
// tokenizer.json, a tokenizer.model, or a directory that holds only one of these. Errors: as
// Checkpoint::Open and Tokenizer::Open.
struct StandaloneTokenizer {
  Tokenizer tokenizer;
  TokenId bos = 2;
};
Result<StandaloneTokenizer> OpenStandaloneTokenizer(const std::string& path);

}  // namespace gemma3n
