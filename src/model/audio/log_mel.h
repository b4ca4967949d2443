// Log-mel spectrogram of a clip: what the sound tower hears.        HF Gemma3nAudioFeatureExtractor
//   frame i reads samples 160 i .. 160 i + 511 of a clip at 16 kHz
//   y_0 = 0.03 x_0,  y_n = x_n - 0.97 x_{n-1}        pre-emphasis inside the frame (HTK)
//   m = |FFT_1024(hann(y))|                          magnitudes, not power
//   out = log(max(W m, 1e-5))                        W: triangles on the HTK mel scale, 125 .. 7600
//   Hz
#pragma once

#include <cstdint>
#include <kissfft/kissfft.hh>
#include <span>
#include <vector>

#include "kernels/ops.h"
#include "tensor/matrix.h"

namespace gemma3n {

class LogMel {
 public:
  static constexpr int64_t kSampleRate = 16000;
  static constexpr int64_t kMaxSamples = 30 * kSampleRate;  // what is beyond is not heard

  // Tables for spectra of mel_bins values a frame; shared by any number of threads.
  explicit LogMel(int64_t mel_bins);

  // Frames of a clip of `samples`, zeros that it is padded with included: none below 513.
  static int64_t Frames(int64_t samples);
  // How many of `frames` frames begin at one of the clip's own samples.
  static int64_t ValidFrames(int64_t samples, int64_t frames);
  // The length that all clips of a request are padded to: the longest's, as a multiple of 128.
  static int64_t PaddedSamples(int64_t longest);

  // The first out.rows frames of the clip followed by zeros.   out: [frames, mel_bins]
  void Compute(std::span<const float> samples, const View& out, const Ops& ops) const;

 private:
  // A triangle of the filter bank over the magnitudes first, first + 1, ...
  struct Filter {
    int64_t first = 0;
    std::vector<double> weights;
  };
  void ComputeFrame(std::span<const float> samples, int64_t frame, float* out) const;

  std::vector<float> window_;    // periodic Hann
  std::vector<Filter> filters_;  // [mel_bins]
  kissfft<double> fft_;          // of half the length: a real transform of 1024
};

}  // namespace gemma3n
