#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace gemma3n {
namespace {

constexpr size_t kLongest = 4000;

// Bytes of the UTF-8 character at the front, 0 where there is none.
size_t CharacterLength(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t n = lead < 0x80   ? 1
                   : lead < 0xC2 ? 0
                   : lead < 0xE0 ? 2
                   : lead < 0xF0 ? 3
                   : lead < 0xF5 ? 4
                                 : 0;
  if (n > text.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    // The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF.
    const uint8_t low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte < low || byte > high) return 0;
  }
  return n;
}

}  // namespace

std::string OneLine(std::string text) {
  if (text.size() > kLongest) {
    text = text.substr(0, kLongest / 2) + " ... " + text.substr(text.size() - kLongest / 2);
  }
  std::string line;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const size_t n =
        byte < 0x20 || byte == 0x7F ? 0 : CharacterLength(std::string_view(text).substr(i));
    if (n == 0) line += fmt::format("\\x{:02x}", byte);
    line.append(text, i, n);
    i += n == 0 ? 1 : n;
  }
  return line;
}

const char* StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kCorruptFile:
      return "corrupt file";
    case StatusCode::kUnsupported:
      return "unsupported";
    case StatusCode::kOutOfRange:
      return "out of range";
    case StatusCode::kResourceExhausted:
      return "resource exhausted";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kIo:
      return "i/o error";
    case StatusCode::kInternal:
      return "internal error";
  }
  return "unknown";
}

}  // namespace gemma3n
