// Texts that are matched whole, before BPE: special tokens and user-defined pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace gemma3n {

struct AddedToken {
  TokenId id = 0;
  std::string text;
  bool special = false;
  bool lstrip = false;      // takes the white space before it with it
  bool rstrip = false;      // and after it
  bool normalized = false;  // matched after spaces became U+2581, not before
};

// Finds added tokens: leftmost first, the longest at each place (as an Aho-Corasick automaton would
// with that rule).
class AddedTokenMatcher {
 public:
  AddedTokenMatcher();

  bool empty() const { return live_ == 0; }
  // A text that is there already is replaced.
  void Add(const AddedToken& token, std::string_view pattern);
  void Remove(std::string_view pattern);

  // Cuts `text` into tokens and the text between them: on_token(id) and on_text(part), in order.
  // Special tokens count as text unless parse_special; as in Hugging Face's tokenizers, nothing
  // shorter is looked for inside of them then.
  template <typename OnText, typename OnToken>
  void Split(std::string_view text, bool parse_special, OnText on_text, OnToken on_token) const {
    size_t done = 0;
    for (size_t pos = 0; pos < text.size();) {
      if (!starts_[static_cast<uint8_t>(text[pos])]) {
        ++pos;
        continue;
      }
      const Match match = LongestAt(text, pos);
      if (match.length == 0) {
        ++pos;
        continue;
      }
      const AddedToken& token = tokens_[match.token];
      size_t start = pos, stop = pos + match.length;
      pos = stop;
      if (token.special && !parse_special) continue;
      if (token.lstrip) start = std::max(done, BeforeSpaces(text, start, done));
      if (token.rstrip) stop = AfterSpaces(text, stop);
      if (done < start) on_text(text.substr(done, start - done));
      on_token(token.id);
      done = stop;
    }
    if (done < text.size()) on_text(text.substr(done));
  }

 private:
  struct Node {
    int32_t child = -1, sibling = -1;  // first child; next child of the same parent
    int32_t token = -1;                // ends here
    uint8_t byte = 0;
  };
  struct Match {
    int32_t token = -1;
    size_t length = 0;
  };

  int32_t Child(int32_t node, uint8_t byte) const;
  int32_t Walk(std::string_view pattern) const;
  Match LongestAt(std::string_view text, size_t pos) const;
  static size_t BeforeSpaces(std::string_view text, size_t end, size_t floor);
  static size_t AfterSpaces(std::string_view text, size_t start);

  std::vector<Node> nodes_;  // [0] is the root
  std::vector<AddedToken> tokens_;
  bool starts_[256] = {};  // whether a pattern begins with that byte
  size_t live_ = 0;
};

}  // namespace gemma3n
