// Sound from any file that FFmpeg reads, as the audio tower wants it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/media_input.h"

namespace gemma3n {

inline constexpr int kAudioRate = 16000;  // samples a second

// Mono, 16 kHz, full scale is [-1, 1].
struct Audio {
  std::vector<float> samples;
  // One sentence when the file holds less than it promises or parts of it could not be decoded,
  // else empty. What is there is in `samples`.
  std::string warning;

  double seconds() const { return static_cast<double>(samples.size()) / kAudioRate; }
};

// Checked against what has been decoded, as it is decoded: what a header says counts for nothing.
struct AudioLimits {
  double max_seconds = 4 * 3600;  // of sound; 230 MB an hour
  int max_channels = 64;
  int max_rate = 768000;  // samples a second in the file
};

// Decodes a file piece by piece, in memory that does not grow with it.
class AudioReader {
 public:
  // Errors: those of opening (no such file, unknown format, broken header), kUnsupported when there
  // is no sound in it.
  static Result<AudioReader> Open(const MediaInput& input, const AudioLimits& limits = {});
  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;
  ~AudioReader();

  // Appends the next samples; false when there are no more. The channels' mean, as librosa.to_mono,
  // then libsoxr's HQ recipe, as librosa.resample; 16 kHz mono 16-bit gives sample / 32768 exactly.
  // Louder than full scale is clipped, NaN is silence.
  // Errors: kResourceExhausted past the limits, kCorruptFile when nothing could be decoded, kIo.
  Result<bool> Read(std::vector<float>* samples);
  // As Audio::warning; known at the end.
  const std::string& warning() const;

 private:
  struct State;
  explicit AudioReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The whole file. Errors: those of AudioReader.
Result<Audio> DecodeAudio(const MediaInput& input, const AudioLimits& limits = {});

}  // namespace gemma3n
