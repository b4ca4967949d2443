// The regular expressions of JSON Schema's `pattern`: what ECMA-262 and others have in common.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

// A set of code points, or of bytes: inclusive, ascending, apart.
struct SymbolRange {
  uint32_t low = 0, high = 0;
  bool operator==(const SymbolRange&) const = default;
};
using SymbolSet = std::vector<SymbolRange>;

inline constexpr uint32_t kMaxCodePoint = 0x10FFFF;
// Stand before and after a text: what ^ and $ match.
inline constexpr uint32_t kTextBegin = 0x110000, kTextEnd = 0x110001;

// Sorted, and joined where they touch.
SymbolSet Normalize(SymbolSet set);
// The code points that are not in a normalized set.
SymbolSet Complement(const SymbolSet& set);

struct Regex {
  enum class Kind {
    kSet,       // one symbol out of `set`
    kSequence,  // all children, one after the other; none: the empty text
    kChoice,    // one of the children
    kRepeat     // the child, `least` to `most` times (most -1: any number)
  };
  Kind kind = Kind::kSequence;
  SymbolSet set;
  std::vector<Regex> children;
  int least = 0, most = 0;

  static Regex Set(SymbolSet symbols) { return {Kind::kSet, std::move(symbols), {}, 0, 0}; }
  static Regex Sequence(std::vector<Regex> parts) {
    return {Kind::kSequence, {}, std::move(parts), 0, 0};
  }
  static Regex Choice(std::vector<Regex> parts) {
    return {Kind::kChoice, {}, std::move(parts), 0, 0};
  }
  static Regex Repeat(Regex part, int least, int most) {
    return {Kind::kRepeat, {}, {std::move(part)}, least, most};
  }
  static Regex Text(std::string_view bytes);  // each byte a symbol
};

// Literals, ".", classes, \d \w \s and their opposites, groups, "|", all quantifiers, ^ and $.
// pattern: valid UTF-8. Errors: kUnsupported naming the construct (\b, look-around, references,
// \p), kInvalidArgument for what is no regular expression.
Result<Regex> ParseRegex(std::string_view pattern);

}  // namespace gemma3n
