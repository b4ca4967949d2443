#include "constraint/regex.h"

#include <algorithm>
#include <utility>

namespace gemma3n {

SymbolSet Normalize(SymbolSet set) {
  std::sort(set.begin(), set.end(), [](auto a, auto b) { return a.low < b.low; });
  SymbolSet joined;
  for (const SymbolRange& range : set) {
    if (!joined.empty() && range.low <= joined.back().high + 1)
      joined.back().high = std::max(joined.back().high, range.high);
    else
      joined.push_back(range);
  }
  return joined;
}

SymbolSet Complement(const SymbolSet& set) {
  SymbolSet rest;
  uint32_t next = 0;
  for (const SymbolRange& range : set) {
    if (range.low > next) rest.push_back({next, range.low - 1});
    next = range.high + 1;
  }
  if (next <= kMaxCodePoint) rest.push_back({next, kMaxCodePoint});
  return rest;
}

Regex Regex::Text(std::string_view bytes) {
  Regex text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.children.push_back(Set({{byte, byte}}));
  }
  return text;
}

}  // namespace gemma3n
