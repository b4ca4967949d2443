#include "tokenizer/utf8.h"

#include <cstring>

namespace gemma3n {

bool MayBecomeUtf8(std::string_view text, size_t pos) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data()) + pos;
  const size_t left = text.size() - pos;
  if (left == 0) return true;
  if (p[0] < 0xC2 || p[0] > 0xF4) return false;
  const size_t need = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
  if (left >= need) return false;
  if (left >= 2) {  // the second byte's range is narrower after some first bytes
    const unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    const unsigned high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return false;
  }
  return left < 3 || (p[2] & 0xC0) == 0x80;
}

bool IsValidUtf8(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const int length = DecodeUtf8(text, pos).length;
    if (length == 0) return false;
    pos += length;
  }
  return true;
}

std::string SpacesFromMarks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const size_t mark = text.find(kSpaceMarkUtf8, pos);
    if (mark == std::string_view::npos) {
      out.append(text.substr(pos));
      break;
    }
    out.append(text.substr(pos, mark - pos));
    out.push_back(' ');
    pos = mark + kSpaceMarkUtf8.size();
  }
  return out;
}

void AppendNormalized(std::string_view text, std::string* out) {
  for (size_t pos = 0; pos < text.size();) {
    const void* found = std::memchr(text.data() + pos, ' ', text.size() - pos);
    if (found == nullptr) {
      out->append(text.substr(pos));
      return;
    }
    const size_t space = static_cast<const char*>(found) - text.data();
    out->append(text.substr(pos, space - pos));
    out->append(kSpaceMarkUtf8);
    pos = space + 1;
  }
}

}  // namespace gemma3n
