// What a Tokenizer holds.
#pragma once

#include <optional>
#include <string>

#include "tokenizer/added_tokens.h"
#include "tokenizer/definition.h"
#include "tokenizer/lazy_bpe.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace gemma3n {

struct Tokenizer::Impl {
  // Errors: kCorruptFile, kUnsupported.
  static Result<Tokenizer> Build(TokenizerDefinition definition, const std::string& name);

  Impl(TokenizerRules file_rules, Vocabulary v, LazyBpe b)
      : rules(file_rules), vocabulary(std::move(v)), bpe(std::move(b)) {}

  void AddListed(const std::vector<AddedToken>& added);
  void AddByType(const std::vector<AddedToken>& added);

  // Special: control pieces (added special tokens among them) and <unk>.
  bool IsSpecial(TokenId id) const {
    const PieceType type = vocabulary[id].type;
    return type == PieceType::kControl || type == PieceType::kUnknown;
  }
  bool Knows(TokenId id) const {
    return id >= 0 && id < vocabulary.size() && !vocabulary[id].text.empty() &&
           vocabulary[id].type != PieceType::kUnused;
  }

  TokenizerRules rules;
  Vocabulary vocabulary;
  LazyBpe bpe;
  AddedTokenMatcher before;  // matched in the text as it is
  AddedTokenMatcher after;   // matched after spaces became U+2581
  std::optional<TokenId> bos, eos;
};

}  // namespace gemma3n
