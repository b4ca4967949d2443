// Frames of a video file, sampled at a steady rate.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "media/image.h"
#include "media/media_input.h"

namespace gemma3n {

struct VideoOptions {
  double frames_per_second = 1;  // in (0, 1000]
  int64_t max_frames = 64;       // at least 1; longer videos are sampled further apart
  int64_t max_pixels = 1 << 26;  // of one frame; a file with larger ones is refused
  int threads = 0;               // of the decoder; 0 takes one per core
};

// What was found when the file was opened. Its packets have been counted and timed, so a header
// that lies about the duration changes nothing.
struct VideoInfo {
  int64_t width = 0, height = 0;  // pixels as stored, before any rotation
  double seconds = 0;             // from the first frame to the end of the last
  bool has_audio = false;         // DecodeAudio on the same input gives the sound track
  int64_t possible_frames = 0;    // at the rate that was asked for
  int64_t frames = 0;             // that will be delivered: possible_frames or max_frames
  double interval = 1;            // seconds between them; more than 1 / rate when thinned

  bool thinned() const { return frames < possible_frames; }
};

struct VideoFrame {
  Image image;          // upright: rotation metadata is applied; pixels are taken as square
  double seconds = 0;   // the moment that was sampled: a multiple of VideoInfo::interval
  double shown_at = 0;  // when this frame came on, at most `seconds`
};

// Delivers the frames shown at 0, interval, 2 * interval, ...; time 0 is the first frame's. One
// frame at a time is decoded and held, so the caller may encode one while it asks for the next.
class VideoReader {
 public:
  // Errors: those of opening (no such file, unknown format, broken header), kInvalidArgument for
  // options out of range, kUnsupported when there is no video in it or frames are too large,
  // kCorruptFile when its video holds nothing.
  static Result<VideoReader> Open(const MediaInput& input, const VideoOptions& options = {});
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;
  ~VideoReader();

  const VideoInfo& info() const;
  // Another max_frames, at least 1, before the first Next: info() tells what comes of it.
  void Limit(int64_t max_frames);
  // The next frame; none after info().frames of them. Errors: kCorruptFile when not one frame can
  // be decoded, kUnsupported for pixels that cannot become RGB, kIo. Frames that are damaged are
  // left out: the one before is still shown.
  Result<std::optional<VideoFrame>> Next();

 private:
  struct State;
  explicit VideoReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gemma3n
