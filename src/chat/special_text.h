// Special tokens written in a user's own words.
//
// A prompt is rendered to text and then tokenized, so that "<end_of_turn>" in a message ends the
// turn, as it does in HF transformers: whoever writes a message could speak as the model, and
// "<image_soft_token>" would claim an image. The library renders such text as it is, as
// transformers does; where messages come from strangers (a server), look first and refuse them, or
// let Escape make them harmless.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "gemma3n/content.h"

namespace gemma3n {

struct SpecialText {
  size_t message = 0, part = 0;  // where: indices, 0 when a single text was searched
  size_t offset = 0;             // byte in that part's text
  std::string text;              // the token's text
};

// Finds special tokens' texts; built once per vocabulary.
class SpecialTextFinder {
 public:
  // The texts of the tokens that must not come from a user, e.g. the tokenizer's special tokens;
  // empty ones are ignored.
  explicit SpecialTextFinder(std::span<const std::string> specials);
  // Gemma 3n's tokens that shape a prompt: <bos>, <eos>, <pad>, <unk>, <mask>, the turns', the
  // images' and the audio's.
  static SpecialTextFinder Gemma3n();

  // Every occurrence, left to right, without overlap; the longest where several begin.
  std::vector<SpecialText> Find(std::string_view text) const;
  std::vector<SpecialText> Find(std::span<const Message> messages) const;

  // The text with U+200B (zero width space) behind the first character of each special text, so
  // that it is read as words.
  std::string Escape(std::string_view text) const;

 private:
  size_t LongestAt(
      std::string_view text) const;  // bytes of the special text at the front, 0 for none

  std::unordered_set<std::string> specials_;
  std::vector<size_t> lengths_;  // of the special texts, longest first
  bool begins_[256] = {};        // first bytes
};

}  // namespace gemma3n
