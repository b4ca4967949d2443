#include "chat/jinja/text.h"

#include <algorithm>

#include "chat/jinja/unicode_case.h"

namespace gemma3n::jinja {
namespace {

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Length of the well-formed sequence at the front of the text, 0 when there is none. Unicode 15,
// table 3-7.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  return length;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

char32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  char32_t c = lead & (lead < 0xE0 ? 0x1F : lead < 0xF0 ? 0x0F : 0x07);
  while (at < text.size() && IsContinuation(text[at])) {
    c = (c << 6) | (static_cast<unsigned char>(text[at++]) & 0x3F);
  }
  return c;
}

void AppendCodePoint(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

size_t Length(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char b) { return !IsContinuation(b); }));
}

size_t ByteOffset(std::string_view text, size_t n) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsContinuation(text[i]) && n-- == 0) return i;
  }
  return text.size();
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    NextCodePoint(text, at);
    characters.push_back(text.substr(begin, at - begin));
  }
  return characters;
}

bool IsSpace(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsLineBreak(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::string_view Strip(std::string_view text, Ends ends, std::optional<std::string_view> chars) {
  std::u32string wanted;
  if (chars) {
    for (size_t at = 0; at < chars->size();) wanted += NextCodePoint(*chars, at);
    std::sort(wanted.begin(), wanted.end());
  }
  const auto strips = [&](char32_t c) {
    return chars ? std::binary_search(wanted.begin(), wanted.end(), c) : IsSpace(c);
  };
  while (ends != Ends::kRight && !text.empty()) {
    size_t at = 0;
    if (!strips(NextCodePoint(text, at))) break;
    text.remove_prefix(at);
  }
  while (ends != Ends::kLeft && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && IsContinuation(text[begin])) --begin;
    size_t at = begin;
    if (!strips(NextCodePoint(text, at))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

std::string Upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) AppendUpper(NextCodePoint(text, at), out);
  return out;
}

std::string Lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) AppendLower(NextCodePoint(text, at), out);
  return out;
}

std::string Capitalize(std::string_view text) {
  std::string out;
  size_t at = 0;
  if (!text.empty()) AppendTitle(NextCodePoint(text, at), out);
  return out + Lower(text.substr(at));
}

std::string TitleMethod(std::string_view text) {
  std::string out;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, at);
    in_word ? AppendLower(c, out) : AppendTitle(c, out);
    in_word = IsCased(c);
  }
  return out;
}

std::string TitleFilter(std::string_view text) {
  std::string out;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, at);
    const bool separates = IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    in_word && !separates ? AppendLower(c, out) : AppendUpper(c, out);
    in_word = !separates;
  }
  return out;
}

namespace {

// Cased characters exist and all of them are what `kept` says.
bool AllCased(std::string_view text, std::string (*kept)(std::string_view)) {
  bool any = false;
  for (std::string_view character : Characters(text)) {
    size_t at = 0;
    if (!IsCased(NextCodePoint(character, at))) continue;
    any = true;
    if (kept(character) != character) return false;
  }
  return any;
}

}  // namespace

bool IsUpper(std::string_view text) { return AllCased(text, Upper); }
bool IsLower(std::string_view text) { return AllCased(text, Lower); }

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = NextCodePoint(text, at);
    if (!IsLineBreak(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, end - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

size_t Find(std::string_view text, std::string_view pattern, size_t from) {
  if (pattern.size() <= 64) return text.find(pattern, from);
  // Knuth-Morris-Pratt.
  std::vector<size_t> border(pattern.size(), 0);
  for (size_t i = 1, k = 0; i < pattern.size(); ++i) {
    while (k > 0 && pattern[i] != pattern[k]) k = border[k - 1];
    if (pattern[i] == pattern[k]) ++k;
    border[i] = k;
  }
  for (size_t i = from, k = 0; i < text.size(); ++i) {
    while (k > 0 && text[i] != pattern[k]) k = border[k - 1];
    if (text[i] == pattern[k]) ++k;
    if (k == pattern.size()) return i + 1 - k;
  }
  return std::string_view::npos;
}

}  // namespace gemma3n::jinja
