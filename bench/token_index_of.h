// A tokenizer's tokens ready for constraints.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "constraint/token_index.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

inline std::shared_ptr<const TokenIndex> TokenIndexOf(const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) texts.push_back(tokenizer.TokenBytes(id));
  return TokenIndex::Build(std::move(texts), {tokenizer.eos().value_or(1)}).value();
}

}  // namespace gemma3n
