// The constraints of an engine's answers: its vocabulary made ready once, the last schemas kept
// compiled.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "constraint/constraint.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n::internal {

class Constraints {
 public:
  // Thread-safe. The first call takes some tenths of a second. Errors: Constraint::Compile's;
  // kUnsupported without a tokenizer or an end token.
  Result<std::shared_ptr<const Constraint>> Get(const std::string& schema,
                                                const Result<Tokenizer>& tokenizer,
                                                const ModelConfig& config) const;

 private:
  static constexpr size_t kKept = 16;

  Status IndexTokens(const Result<Tokenizer>& tokenizer, const ModelConfig& config) const;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::shared_ptr<const TokenIndex> tokens_;
  // By schema, the last used first.
  mutable std::list<std::pair<std::string, std::shared_ptr<const Constraint>>> kept_;
};

}  // namespace gemma3n::internal
