// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gemma3n {

inline constexpr char32_t kSpaceMark = 0x2581;  // stands for a space in pieces
inline constexpr std::string_view kSpaceMarkUtf8 = "\xE2\x96\x81";
inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";  // U+FFFD

struct Utf8Char {
  char32_t code = 0;
  int length = 0;  // bytes; 0: no valid character starts here
};

// The character at text[pos]. Precondition: pos < text.size().
inline Utf8Char DecodeUtf8(std::string_view text, size_t pos) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data()) + pos;
  const size_t left = text.size() - pos;
  const auto trail = [p](int i) { return (p[i] & 0xC0) == 0x80; };
  if (p[0] < 0x80) return {p[0], 1};
  if (p[0] < 0xC2) return {};
  if (p[0] < 0xE0) {
    if (left < 2 || !trail(1)) return {};
    return {static_cast<char32_t>((p[0] & 0x1F) << 6 | (p[1] & 0x3F)), 2};
  }
  if (p[0] < 0xF0) {
    if (left < 3 || !trail(1) || !trail(2)) return {};
    const auto code =
        static_cast<char32_t>((p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F));
    if (code < 0x800 || (code >= 0xD800 && code < 0xE000)) return {};
    return {code, 3};
  }
  if (p[0] > 0xF4 || left < 4 || !trail(1) || !trail(2) || !trail(3)) return {};
  const auto code = static_cast<char32_t>((p[0] & 0x07) << 18 | (p[1] & 0x3F) << 12 |
                                          (p[2] & 0x3F) << 6 | (p[3] & 0x3F));
  if (code < 0x10000 || code > 0x10FFFF) return {};
  return {code, 4};
}

// Whether more bytes could still make text[pos..] begin with a valid character. Precondition: none
// starts there now.
bool MayBecomeUtf8(std::string_view text, size_t pos);

bool IsValidUtf8(std::string_view text);

// All of `text` with every U+2581 turned into a space, as decoding does.
std::string SpacesFromMarks(std::string_view text);

// Appends `text` with every space turned into U+2581: all the normalisation that the Gemma
// tokenizer does.
void AppendNormalized(std::string_view text, std::string* out);

}  // namespace gemma3n
