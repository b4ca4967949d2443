// Numbers that the tests and the fixtures' generator make alike, bit for bit, so that no file has
// to hold them (tools/golden/shared_values.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gemma3n::golden {

inline uint32_t Mix(uint32_t x) {  // lowbias32
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

inline uint32_t SeedOf(std::string_view name) {
  uint32_t h = 2166136261u;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
  return h;
}

// Uniform in [-1/2, 1/2).
inline double Noise(uint32_t seed, int64_t i) {
  return static_cast<double>(Mix(static_cast<uint32_t>(i) + seed) >> 8) / (1 << 24) - 0.5;
}

inline std::vector<float> SharedTensor(std::string_view name, int64_t n, double scale,
                                       double offset) {
  std::vector<float> values(n);
  for (int64_t i = 0; i < n; ++i)
    values[i] = static_cast<float>(offset + scale * Noise(SeedOf(name), i));
  return values;
}

inline double Triangle(int64_t n, int64_t period) {
  return std::abs(static_cast<double>(n % period) / static_cast<double>(period) * 4 - 2) - 1;
}

inline constexpr const char* kSoundKinds[] = {"voice", "quiet", "silence", "clipped", "offset"};

// Samples at 16 kHz: three tones that swell and fade, faint noise, nothing, an overdriven wave, a
// constant.
inline std::vector<float> Sound(std::string_view kind, int64_t samples) {
  std::vector<float> out(samples);
  const uint32_t seed = SeedOf(kind);
  for (int64_t n = 0; n < samples; ++n) {
    const double hiss = Noise(seed, n);
    double x = 0;
    if (kind == "voice") {
      const double tones = 0.4 * Triangle(n, 113) + 0.2 * Triangle(n, 37) + 0.1 * Triangle(n, 11);
      x = (0.5 + 0.5 * Triangle(n, 8000)) * tones + 0.02 * hiss;
    } else if (kind == "quiet") {
      x = 0.01 * hiss;
    } else if (kind == "clipped") {
      x = std::clamp(3 * Triangle(n, 97) + 0.3 * hiss, -1.0, 1.0);
    } else if (kind == "offset") {
      x = 0.5 + 0.001 * hiss;
    }
    out[n] = static_cast<float>(x);
  }
  return out;
}

}  // namespace gemma3n::golden
