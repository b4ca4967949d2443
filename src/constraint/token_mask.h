// Which tokens may follow in a state.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "constraint/reader.h"
#include "constraint/token_index.h"

namespace gemma3n {

// Those of `base`, if there is one, and `more`.
class TokenMask {
 public:
  // All tokens that lead from the state to another, or fewer where finding them would take too much
  // memory. The reader's states grow.
  static TokenMask Of(Reader& reader, Reader::State state, const TokenIndex& index);

  // Sets the logits of all other tokens, but for `kept`, to -inf.
  void Apply(std::span<float> logits, std::span<const int32_t> kept) const;
  size_t bytes() const { return more_.size() * sizeof(int32_t) + own_.size() * sizeof(uint64_t); }

 private:
  const TokenIndex::Bits* base() const { return own_.empty() ? base_ : &own_; }

  const TokenIndex::Bits* base_ = nullptr;
  TokenIndex::Bits own_;  // a base of its own, where `more` would be long
  std::vector<int32_t> more_;
};

}  // namespace gemma3n
