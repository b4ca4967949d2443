// Unicode's case mappings, as Python's str methods apply them character by character.
#pragma once

#include <cstdint>
#include <string>

namespace gemma3n::jinja {

void AppendUpper(char32_t c, std::string& out);  // may be several characters: ß -> SS
void AppendLower(char32_t c, std::string& out);
void AppendTitle(char32_t c, std::string& out);
// Whether the character has case at all.
bool IsCased(char32_t c);

// A run of characters first, first + stride, ... last that map to themselves + delta.
struct CaseRun {
  char32_t first, last;
  uint32_t stride;
  int32_t delta;
};
// A character that maps to up to three others (0: unused).
struct CaseSpecial {
  char32_t from;
  char32_t to[3];
};

}  // namespace gemma3n::jinja
