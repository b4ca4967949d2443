#include "chat/jinja/escapes.h"

#include <charconv>

#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

// Value of the single-letter escapes, -1 for others.
int SimpleEscape(char c) {
  switch (c) {
    case '\\':
      return '\\';
    case '\'':
      return '\'';
    case '"':
      return '"';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return -1;
  }
}

// Appends the character that `digits` digits at the front of `text` name.
Status AppendHex(std::string_view text, size_t digits, std::string& out) {
  uint32_t c = 0;
  const char* end = text.data() + std::min(text.size(), digits);
  const auto parsed = std::from_chars(text.data(), end, c, 16);
  if (text.size() < digits || parsed.ptr != end || parsed.ec != std::errc()) {
    return Error(StatusCode::kCorruptFile,
                 "expected {} hexadecimal digits in a string's escape, found '{}'", digits,
                 std::string_view(text.data(), static_cast<size_t>(parsed.ptr - text.data())));
  }
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
    return Error(StatusCode::kCorruptFile,
                 "a string's escape names U+{:04X}, which is no character", c);
  }
  AppendCodePoint(c, out);
  return OkStatus();
}

// Python writes non-ASCII characters as escapes before it reads escapes, so that behind a backslash
// they come out so.
void AppendUnknown(std::string_view literal, size_t& at, std::string& out) {
  const char32_t c = NextCodePoint(literal, at);
  out += '\\';
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x100) {
    out += fmt::format("x{:02x}", static_cast<uint32_t>(c));
  } else {
    out += c < 0x10000 ? fmt::format("u{:04x}", static_cast<uint32_t>(c))
                       : fmt::format("U{:08x}", static_cast<uint32_t>(c));
  }
}

}  // namespace

Result<std::string> Unescape(std::string_view literal) {
  std::string out;
  for (size_t at = 0; at < literal.size();) {
    if (literal[at] != '\\' || at + 1 >= literal.size()) {
      out += literal[at++];
      continue;
    }
    const char c = literal[++at];
    if (const int simple = SimpleEscape(c); simple >= 0) {
      out += static_cast<char>(simple);
      ++at;
    } else if (c == '\n') {
      ++at;
    } else if (c >= '0' && c <= '7') {
      char32_t value = 0;
      for (int i = 0; i < 3 && at < literal.size() && literal[at] >= '0' && literal[at] <= '7';
           ++i, ++at) {
        value = value * 8 + static_cast<char32_t>(literal[at] - '0');
      }
      AppendCodePoint(value, out);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      G3N_RETURN_IF_ERROR(AppendHex(literal.substr(at + 1), digits, out));
      at += 1 + digits;
    } else if (c == 'N') {
      return Error(StatusCode::kUnsupported,
                   "characters by name (\\N{{...}}) in strings are not supported");
    } else {
      AppendUnknown(literal, at, out);
    }
  }
  return out;
}

}  // namespace gemma3n::jinja
