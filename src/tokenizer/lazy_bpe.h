// BPE whose tables are made when they pay. Those of Gemma's 262,144 scored pieces take a tenth of a
// second, much of the time to a first token; a prompt of some sentences is encoded in a millisecond
// without them, by looking up the text of each pair of neighbours.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"

namespace gemma3n {

class LazyBpe {
 public:
  // Bytes that are encoded without the tables, in a quarter of the time that making them takes.
  static constexpr size_t kWithout = 1 << 14;

  // With tables from the start.
  explicit LazyBpe(Bpe bpe);
  // By scores. Errors: those of Bpe::CheckScores.
  static Result<LazyBpe> FromScores(const Vocabulary& vocabulary, const std::string& name);

  // As Bpe has it, with the same ids either way. `vocabulary`: the one given to FromScores, to
  // which only pieces that are not normal have come since.
  void Encode(std::string_view text, const Vocabulary& vocabulary, std::vector<TokenId>* out) const;
  void Forget(TokenId id, const Vocabulary& vocabulary);

 private:
  struct State {
    std::once_flag once;
    std::optional<Bpe> bpe;          // written once
    std::atomic<bool> ready{false};  // ... before this
    std::atomic<size_t> encoded{0};  // bytes
  };

  LazyBpe() : state_(std::make_unique<State>()) {}
  Bpe& Tables(const Vocabulary& vocabulary) const;

  std::unique_ptr<State> state_;
};

}  // namespace gemma3n
