// Speculation without a second model: the next tokens are guessed to be those that followed the
// same few tokens earlier in the prompt or the answer, and all guesses are checked in one pass.
//   A. Saxena, "Prompt Lookup Decoding" (2023); Y. Leviathan et al., arXiv:2211.17192
//
// A guess is one token, not a distribution. So it suffices to draw each token as ever and to go on
// in the pass as long as the draw is the guess: the answer is the one without speculation, draw for
// draw.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace gemma3n {

class PromptLookup {
 public:
  // most: tokens guessed at once, at least 0 (never guesses).
  explicit PromptLookup(int64_t most) : most_(most), length_(most < kFirst ? most : kFirst) {}

  // The next token of prompt or answer. word: false for a medium's soft token, which is never
  // guessed.
  void Add(int32_t token, bool word = true);

  // What may come after all that was added: up to `room` tokens, often none. Valid until the next
  // Add.
  std::span<const int32_t> Guess(int64_t room);

  // How many of the last guess's tokens came true. Guesses get longer while they do, and rarer
  // while they do not, so that a text without repetition costs little.
  void Learn(int64_t guessed, int64_t right);

 private:
  static constexpr int64_t kGram = 3;     // tokens that must recur
  static constexpr int64_t kFirst = 3;    // length of the first guess
  static constexpr int64_t kRarest = 64;  // steps between guesses that keep failing

  uint64_t LastGram() const;

  int64_t most_, length_;
  int64_t pause_ = 0, failures_ = 0;
  std::vector<int32_t> tokens_;                 // -1 for a soft token
  std::unordered_map<uint64_t, int64_t> next_;  // a gram's hash to where its last continuation lies
};

}  // namespace gemma3n
