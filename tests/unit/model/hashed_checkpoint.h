// Checkpoints too big to commit: every value is a formula of its tensor's name and its index, which
// tools/golden/hashed_values.py states again for the reference.
#pragma once

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n::testing {

// 24 random-looking bits of an element of a named tensor (FNV-1a, then MurmurHash3's finalizer).
inline uint32_t HashBits(std::string_view name, uint32_t index) {
  uint32_t seed = 2166136261u;
  for (char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 16777619u;
  uint32_t h = seed ^ (index * 0x9E3779B1u);
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return (h ^ (h >> 16)) >> 8;
}

// Evenly spread over [-0.5, 0.5), exact in float32.
inline float HashUnit(std::string_view name, uint32_t index) {
  return static_cast<float>(HashBits(name, index)) / (1 << 24) - 0.5f;
}

// Values that stay tame through a deep tower: norms near one, small layer scales, products that
// keep the size of what they multiply. Factors are powers of two, so that a value is rounded once.
inline std::vector<float> HashedValues(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t n = 1, fan_in = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    n *= shape[i];
    if (i > 0) fan_in *= shape[i];
  }
  const bool vector = shape.size() < 2, bias = name.ends_with("bias");
  const bool layer_scale = name.ends_with("gamma");
  const float offset = !vector || bias ? 0.0f : layer_scale ? 0.25f : 1.0f;
  const float factor = vector ? (layer_scale ? 0.125f : 0.5f)
                              : std::exp2(std::round(0.5f * std::log2(12.0f / fan_in)));
  std::vector<float> values(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    values[i] = offset + factor * HashUnit(name, static_cast<uint32_t>(i));
  }
  return values;
}

using TensorShapes = std::map<std::string, std::vector<int64_t>>;

// A hub directory of one float32 file with these tensors (names as on the hub).
inline void WriteHashedCheckpoint(const TempDir& dir, const std::string& config_json,
                                  const TensorShapes& shapes) {
  dir.Write("config.json", config_json);
  std::vector<SafetensorsWriter::Entry> entries;
  for (const auto& [name, shape] : shapes) entries.push_back({name, DType::kF32, shape});
  auto writer = SafetensorsWriter::Create(dir / "model.safetensors", entries);
  if (!writer.ok()) std::abort();
  for (const auto& [name, shape] : shapes) {
    const std::vector<float> values = HashedValues(name, shape);
    if (!writer->Append(values.data(), values.size() * sizeof(float)).ok()) std::abort();
  }
  if (!writer->Commit().ok()) std::abort();
}

}  // namespace gemma3n::testing
