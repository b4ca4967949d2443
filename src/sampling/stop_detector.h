// Finds stop strings in text that arrives in pieces, and holds back what could still become one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

// The text ends at the first byte that completes a stop string, before that string; when several
// complete at that byte, before the longest. How the text was cut into pieces makes no difference.
class StopDetector {
 public:
  // Errors: kInvalidArgument for an empty stop string, or one that begins inside a UTF-8 character
  // (it could cut one in two).
  static Result<StopDetector> Create(std::vector<std::string> stops);

  // Takes the next piece and appends to `out` what is certain not to belong to a stop string.
  // Returns true when a stop string was completed: `out` then has all the text before it, and later
  // pieces are ignored.
  bool Push(std::string_view piece, std::string& out);

  // The text has ended: appends what was held back.
  void Finish(std::string& out);

  bool stopped() const { return matched_ >= 0; }
  // Index of the stop string that was found, -1 before.
  int matched() const { return matched_; }
  // Bytes held back.
  size_t pending() const { return held_.size(); }

  // Ready for another text.
  void Reset();

 private:
  // A stop string with its Knuth-Morris-Pratt automaton: failure[i] is the longest proper border of
  // its first i + 1 bytes.
  struct Pattern {
    std::string text;
    std::vector<size_t> failure;
    size_t state = 0;  // bytes of the pattern that the text's end matches
  };
  static bool Advance(Pattern& pattern, char byte);

  std::vector<Pattern> patterns_;
  std::string held_;  // the longest end of the text that begins a stop string
  int matched_ = -1;
};

}  // namespace gemma3n
