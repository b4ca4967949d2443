// tests/unit/media/data: picture files, and what the reference makes of them
// (tools/golden/make_image_fixtures.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "media/image.h"

namespace gemma3n::testing {

inline std::string DataPath(const std::string& name) {
  return std::string(GEMMA3N_SOURCE_DIR) + "/tests/unit/media/data/" + name;
}

inline std::vector<std::byte> ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline const nlohmann::json& ExpectedImages() {
  static const auto expected =
      nlohmann::json::parse(std::ifstream(DataPath("expected.json")), nullptr, true);
  return expected;
}

// CRC-32 of zlib.
inline uint32_t Crc(std::span<const uint8_t> bytes) {
  uint32_t table[256];
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    table[i] = value;
  }
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) crc = crc >> 8 ^ table[(crc ^ byte) & 255];
  return ~crc;
}

}  // namespace gemma3n::testing
