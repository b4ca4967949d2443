// Sound files made by hand, the fixtures of tests/golden/media, and what they must decode to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "media/media_input.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n::testing {

inline std::string MediaFixture(const std::string& name) {
  return std::string(GEMMA3N_SOURCE_DIR) + "/tests/golden/media/" + name;
}

inline MediaInput InMemory(const std::string& bytes, const std::string& name = "memory") {
  return MediaInput::Memory(std::as_bytes(std::span(bytes)), name);
}

// A canonical WAV header: format 1 is integer PCM, 3 float. `data_bytes` may lie.
inline std::string WavHeader(int format, int bits, int channels, int rate, uint32_t data_bytes) {
  const auto frame = static_cast<uint16_t>(channels * bits / 8);
  return "RIFF" + Bytes<uint32_t>(data_bytes + 36) + "WAVEfmt " + Bytes<uint32_t>(16) +
         Bytes(static_cast<uint16_t>(format)) + Bytes(static_cast<uint16_t>(channels)) +
         Bytes(static_cast<uint32_t>(rate)) + Bytes(static_cast<uint32_t>(rate) * frame) +
         Bytes(frame) + Bytes(static_cast<uint16_t>(bits)) + "data" + Bytes(data_bytes);
}

template <typename T>
std::string Wav(const std::vector<T>& samples, int channels, int rate) {
  std::string data(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(T));
  return WavHeader(std::is_floating_point_v<T> ? 3 : 1, 8 * sizeof(T), channels, rate,
                   static_cast<uint32_t>(data.size())) +
         data;
}

// tools/golden/media_fixtures.py's two sweeps, mixed to mono: half a second at 16 kHz.
inline std::vector<float> Sweep() {
  std::vector<float> samples(8000);
  const auto sine = [](double t, double f0, double f1) {
    return std::sin(2 * std::numbers::pi * (f0 * t + (f1 - f0) * t * t));
  };
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / 16000;
    samples[i] = static_cast<float>((0.4 * sine(t, 200, 3000) + 0.2 * sine(t, 3000, 200)) / 2);
  }
  return samples;
}

// Signal to noise in decibels over [begin, end) of both.
inline double SignalToNoise(std::span<const float> want, std::span<const float> got, size_t begin,
                            size_t end) {
  double signal = 0, noise = 0;
  for (size_t i = begin; i < end; ++i) {
    signal += static_cast<double>(want[i]) * want[i];
    noise += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
  }
  return 10 * std::log10(signal / std::max(noise, 1e-30));
}

}  // namespace gemma3n::testing
