// What must hold for any bytes as a sound or video file. Shared by the fuzzers and by the unit test
// that replays their corpus.
#pragma once

#include <cmath>
#include <span>

#include "media/audio.h"
#include "media/video.h"
#include "require.h"

namespace gemma3n::fuzz {

inline void ExerciseAudioFile(std::span<const std::byte> bytes) {
  const AudioLimits limits{.max_seconds = 20};
  const auto audio = DecodeAudio(MediaInput::Memory(bytes, "input"), limits);
  if (FailedWell(audio.status())) return;
  Require(audio->seconds() <= limits.max_seconds + 1, "no more sound than the limit");
  Require(audio->warning.find('\n') == std::string::npos, "a warning is one line");
  for (const float v : audio->samples) Require(std::abs(v) <= 1, "samples are in [-1, 1]");
}

inline void ExerciseVideoFile(std::span<const std::byte> bytes) {
  const VideoOptions options{.max_frames = 8, .max_pixels = 1 << 18, .threads = 1};
  auto reader = VideoReader::Open(MediaInput::Memory(bytes, "input"), options);
  if (FailedWell(reader.status())) return;
  const VideoInfo& info = reader->info();
  Require(info.frames >= 1 && info.frames <= options.max_frames, "frames within the limit");
  Require(std::isfinite(info.seconds) && info.interval > 0, "times are numbers");
  for (int64_t i = 0; i < info.frames; ++i) {
    const auto next = reader->Next();
    if (FailedWell(next.status())) return;
    Require(next->has_value(), "as many frames as were announced");
    const Image& image = (*next)->image;
    Require(image.width > 0 && image.height > 0 && image.width * image.height <= options.max_pixels,
            "frames within the limit of pixels");
    Require(static_cast<int64_t>(image.rgb.size()) == image.width * image.height * 3,
            "three bytes a pixel");
  }
  Require(!reader->Next()->has_value(), "and no more");
}

}  // namespace gemma3n::fuzz
