#include "constraint/json_bytes.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace gemma3n {
namespace {

using Sequence = std::vector<SymbolRange>;

int Utf8Length(uint32_t code) {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

Sequence Utf8(uint32_t code) {
  static constexpr uint32_t kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  const int length = Utf8Length(code);
  Sequence bytes(static_cast<size_t>(length));
  for (int i = length - 1; i > 0; --i, code >>= 6) {
    const uint32_t byte = 0x80 | (code & 0x3F);
    bytes[static_cast<size_t>(i)] = {byte, byte};
  }
  const uint32_t lead = kLead[length] | code;
  bytes[0] = {lead, lead};
  return bytes;
}

// Splits until a range's UTF-8 is a product of byte ranges (as RE2 and rust's utf8-ranges do).
void AppendUtf8(SymbolRange codes, std::vector<Sequence>& out) {
  if (codes.low > codes.high) return;
  for (const uint32_t last : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (codes.low <= last && codes.high > last) {
      AppendUtf8({codes.low, last}, out);
      AppendUtf8({last + 1, codes.high}, out);
      return;
    }
  }
  const int length = Utf8Length(codes.low);
  for (int i = 1; i < length; ++i) {
    const uint32_t mask = (1u << (6 * i)) - 1;
    if ((codes.low & ~mask) == (codes.high & ~mask)) continue;
    if ((codes.low & mask) != 0) {
      AppendUtf8({codes.low, codes.low | mask}, out);
      AppendUtf8({(codes.low | mask) + 1, codes.high}, out);
      return;
    }
    if ((codes.high & mask) != mask) {
      AppendUtf8({codes.low, (codes.high & ~mask) - 1}, out);
      AppendUtf8({codes.high & ~mask, codes.high}, out);
      return;
    }
  }
  Sequence bytes = Utf8(codes.low);
  const Sequence high = Utf8(codes.high);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i].high = high[i].high;
  out.push_back(std::move(bytes));
}

SymbolRange One(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return {byte, byte};
}

void AppendShortEscapes(SymbolRange codes, std::vector<Sequence>& out) {
  static constexpr std::pair<char, char> kShort[] = {
      {'\b', 'b'}, {'\t', 't'}, {'\n', 'n'}, {'\f', 'f'}, {'\r', 'r'}, {'"', '"'}, {'\\', '\\'}};
  for (const auto& [character, letter] : kShort) {
    const SymbolRange code = One(character);
    if (codes.low <= code.low && code.low <= codes.high) out.push_back({One('\\'), One(letter)});
  }
}

// "\u00" and two digits, for codes below 0x60 that share the first of them.
void AppendHexEscapes(SymbolRange codes, std::vector<Sequence>& out) {
  if (codes.low > codes.high) return;
  const SymbolRange first = One(static_cast<char>('0' + codes.low / 16));
  const uint32_t low = codes.low % 16, high = codes.high % 16;
  const auto add = [&](uint32_t from, uint32_t to, char zero) {
    if (from > to) return;
    const auto base = static_cast<unsigned char>(zero);
    out.push_back({One('\\'), One('u'), One('0'), One('0'), first, {base + from, base + to}});
  };
  add(low, std::min(high, 9u), '0');
  add(std::max(low, 10u), high, 'a' - 10);
  add(std::max(low, 10u), high, 'A' - 10);
}

}  // namespace

std::vector<Sequence> JsonStringBytes(SymbolRange codes) {
  std::vector<Sequence> out;
  AppendShortEscapes(codes, out);
  constexpr SymbolRange kEscaped[] = {{0, 15}, {16, 31}, {'"', '"'}, {'\\', '\\'}};
  for (const SymbolRange& escaped : kEscaped)
    AppendHexEscapes({std::max(codes.low, escaped.low), std::min(codes.high, escaped.high)}, out);
  constexpr SymbolRange kRaw[] = {
      {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0xD7FF}, {0xE000, kMaxCodePoint}};
  for (const SymbolRange& raw : kRaw)
    AppendUtf8({std::max(codes.low, raw.low), std::min(codes.high, raw.high)}, out);
  return out;
}

}  // namespace gemma3n
