#include "constraint/json_text.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

namespace gemma3n {
namespace {

// States besides kBody and kEscape. UTF-8: bytes still to come, and the second bytes that E0, ED,
// F0 and F4 restrict (Unicode, table 3-7).
enum : int8_t {
  kOneMore = 1,
  kTwoMore,
  kThreeMore,
  kAfterE0,
  kAfterEd,
  kAfterF0,
  kAfterF4,
  kHex4 = 9,
  kHex3,
  kHex2,
  kHex1,  // digits of \u still to come
  kHexD,  // \ud or \uD
  kHigh2,
  kHigh1,  // of a high surrogate
  kLowBackslash,
  kLowU,
  kLowD,
  kLowSecond,
  kStates
};

using Table = std::array<std::array<int8_t, 256>, kStates>;

Table MakeTable() {
  Table table;
  for (auto& row : table) row.fill(-1);
  const auto set = [&](int8_t from, int low, int high, int8_t to) {
    for (int byte = low; byte <= high; ++byte)
      table[static_cast<size_t>(from)][static_cast<size_t>(byte)] = to;
  };
  const auto hex = [&](int8_t from, int8_t to) {
    set(from, '0', '9', to);
    set(from, 'a', 'f', to);
    set(from, 'A', 'F', to);
  };
  constexpr int8_t body = StringText::kBody, escape = StringText::kEscape;
  set(body, 0x20, 0x7F, body);
  set(body, '"', '"', -1);
  set(body, '\\', '\\', escape);
  set(body, 0xC2, 0xDF, kOneMore);
  set(body, 0xE0, 0xEF, kTwoMore);
  set(body, 0xE0, 0xE0, kAfterE0);
  set(body, 0xED, 0xED, kAfterEd);
  set(body, 0xF0, 0xF4, kThreeMore);
  set(body, 0xF0, 0xF0, kAfterF0);
  set(body, 0xF4, 0xF4, kAfterF4);
  set(kOneMore, 0x80, 0xBF, body);
  set(kTwoMore, 0x80, 0xBF, kOneMore);
  set(kThreeMore, 0x80, 0xBF, kTwoMore);
  set(kAfterE0, 0xA0, 0xBF, kOneMore);
  set(kAfterEd, 0x80, 0x9F, kOneMore);
  set(kAfterF0, 0x90, 0xBF, kTwoMore);
  set(kAfterF4, 0x80, 0x8F, kTwoMore);
  for (const char c : {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'}) set(escape, c, c, body);
  set(escape, 'u', 'u', kHex4);
  hex(kHex4, kHex3);
  set(kHex4, 'd', 'd', kHexD);
  set(kHex4, 'D', 'D', kHexD);
  hex(kHex3, kHex2);
  hex(kHex2, kHex1);
  hex(kHex1, body);
  set(kHexD, '0', '7', kHex2);
  for (const char c : {'8', '9', 'a', 'b', 'A', 'B'}) set(kHexD, c, c, kHigh2);
  hex(kHigh2, kHigh1);
  hex(kHigh1, kLowBackslash);
  set(kLowBackslash, '\\', '\\', kLowU);
  set(kLowU, 'u', 'u', kLowD);
  set(kLowD, 'd', 'd', kLowSecond);
  set(kLowD, 'D', 'D', kLowSecond);
  for (const char c : {'c', 'd', 'e', 'f', 'C', 'D', 'E', 'F'}) set(kLowSecond, c, c, kHex2);
  return table;
}

}  // namespace

int32_t StringText::Next(int32_t state, uint8_t byte) {
  static const Table kTable = MakeTable();
  return kTable[static_cast<size_t>(state)][byte];
}

}  // namespace gemma3n
