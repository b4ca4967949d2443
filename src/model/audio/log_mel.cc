#include "model/audio/log_mel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

namespace gemma3n {
namespace {

constexpr int64_t kHop = 160, kFrame = 512, kFft = 1024, kBins = kFft / 2 + 1;
constexpr int64_t kFrameReach = kFrame + 1;  // the extractor cuts one sample more than it uses
constexpr int64_t kPadMultiple = 128;
constexpr float kPreemphasis = 0.97f, kFirstFactor = 1.0 - 0.97;
constexpr double kMinHertz = 125, kMaxHertz = 7600, kMelFloor = 1e-5;

double MelOf(double hertz) { return 2595.0 * std::log10(1.0 + hertz / 700.0); }
double HertzOf(double mel) { return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0); }

// cos as the extractor's window was made with: NumPy's own for float32, quadrants by Cody and
// Waite, then a polynomial. A unit in the last place shows: near the window's ends, and in a
// constant sound, whose spectrum is the window's.
float ExtractorCos(float x) {
  constexpr float kRound = 0x1.8p23f;  // added and taken off: to the nearest integer
  const float quadrant = std::fma(x, 0x1.45f306p-1f, kRound) - kRound;
  float r = std::fma(quadrant, -0x1.921fb0p+0f, x);
  r = std::fma(quadrant, -0x1.5110b4p-22f, r);
  r = std::fma(quadrant, -0x1.846988p-48f, r);
  const float z = r * r;
  float cos = std::fma(0x1.98e616p-16f, z, -0x1.6c06dcp-10f);
  cos = std::fma(cos, z, 0x1.55553cp-5f);
  cos = std::fma(cos, z, -0.5f);
  cos = std::fma(cos, z, 1.0f);
  float sin = std::fma(0x1.7d3bbcp-19f, z, -0x1.a06bbap-13f);
  sin = std::fma(sin, z, 0x1.11119ap-7f);
  sin = std::fma(sin, z, -0x1.555556p-3f);
  sin = std::fma(sin * z, r, r);
  const int turned = static_cast<int>(quadrant) + 1;
  const float value = turned % 2 == 0 ? sin : cos;
  return turned / 2 % 2 == 0 ? value : -value;
}

}  // namespace

LogMel::LogMel(int64_t mel_bins) : window_(kFrame), filters_(mel_bins), fft_(kFft / 2, false) {
  for (int64_t n = 0; n < kFrame; ++n) {
    const float phase = static_cast<float>(2 * std::numbers::pi) * static_cast<float>(n) / kFrame;
    window_[n] = 0.5f * (1.0f - ExtractorCos(phase));
  }
  const double low = MelOf(kMinHertz), high = MelOf(kMaxHertz);
  const auto edge = [&](int64_t i) {  // mel_bins + 2 points, evenly spaced in mel
    return HertzOf(low + (high - low) * static_cast<double>(i) / static_cast<double>(mel_bins + 1));
  };
  for (int64_t m = 0; m < mel_bins; ++m) {
    const double left = edge(m), centre = edge(m + 1), right = edge(m + 2);
    Filter& filter = filters_[m];
    for (int64_t b = 0; b < kBins; ++b) {
      const double hertz = static_cast<double>(b * kSampleRate) / kFft;
      const double weight =
          std::min((hertz - left) / (centre - left), (right - hertz) / (right - centre));
      if (weight <= 0) continue;
      if (filter.weights.empty()) filter.first = b;
      filter.weights.push_back(weight);
    }
  }
}

int64_t LogMel::Frames(int64_t samples) {
  return samples < kFrameReach ? 0 : (samples - kFrameReach) / kHop + 1;
}

int64_t LogMel::ValidFrames(int64_t samples, int64_t frames) {
  return std::min(frames, (samples + kHop - 1) / kHop);
}

int64_t LogMel::PaddedSamples(int64_t longest) {
  return (longest + kPadMultiple - 1) / kPadMultiple * kPadMultiple;
}

void LogMel::Compute(std::span<const float> samples, const View& out, const Ops& ops) const {
  constexpr int64_t kGrain = 32;  // frames: about half a millisecond
  ops.pool().ParallelFor(out.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ComputeFrame(samples, i, out.row(i));
  });
}

// Float32 up to the windowed frame, like the extractor; double from there, so that nothing is added
// to its error.
void LogMel::ComputeFrame(std::span<const float> samples, int64_t frame, float* out) const {
  const int64_t begin = frame * kHop;
  const int64_t count =
      std::clamp<int64_t>(static_cast<int64_t>(samples.size()) - begin, 0, kFrame);
  std::array<float, kFrame> x = {};
  std::copy_n(samples.begin() + (count > 0 ? begin : 0), count, x.begin());
  std::array<double, kFft> windowed = {};
  windowed[0] = x[0] * kFirstFactor * window_[0];
  for (int64_t n = 1; n < kFrame; ++n) windowed[n] = (x[n] - kPreemphasis * x[n - 1]) * window_[n];

  std::array<std::complex<double>, kBins> spectrum;
  fft_.transform_real(windowed.data(), spectrum.data());
  std::array<double, kBins> magnitude;
  magnitude[0] = std::abs(spectrum[0].real());
  magnitude[kBins - 1] = std::abs(spectrum[0].imag());  // kissfft keeps the last bin there
  for (int64_t b = 1; b < kBins - 1; ++b) {
    const double re = spectrum[b].real(), im = spectrum[b].imag();
    magnitude[b] = std::sqrt(re * re + im * im);
  }
  for (size_t m = 0; m < filters_.size(); ++m) {
    const Filter& filter = filters_[m];
    double mel = 0;
    for (size_t j = 0; j < filter.weights.size(); ++j) {
      mel += filter.weights[j] * magnitude[filter.first + static_cast<int64_t>(j)];
    }
    out[m] = static_cast<float>(std::log(std::max(mel, kMelFloor)));
  }
}

}  // namespace gemma3n
