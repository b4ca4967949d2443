// The two parts of JSON's grammar that know no schema: characters of strings, and white space.
#pragma once

#include <cstdint>

namespace gemma3n {

// Inside a string, behind its opening quote. kBody: between characters. Characters are valid UTF-8;
// an escaped surrogate comes with its other half.
class StringText {
 public:
  static constexpr int32_t kBody = 0, kEscape = 8, kDead = -1;
  // One byte further in a character; the closing quote is not a part of it. kDead: it may not be
  // here.
  static int32_t Next(int32_t state, uint8_t byte);
};

// White space where a document may have some: nothing, one space, or a line end and an indentation
// of at most four spaces for each open bracket, so that no model writes it for ever.
class WhiteSpace {
 public:
  static constexpr int32_t kNothing = 0, kDead = -1;
  static int32_t Next(int32_t state, uint8_t byte, int32_t depth) {
    if (state == kNothing) return byte == ' ' ? 1 : byte == '\n' ? 2 : kDead;
    return state >= 2 && byte == ' ' && state - 2 < 4 * depth ? state + 1 : kDead;
  }
};

}  // namespace gemma3n
