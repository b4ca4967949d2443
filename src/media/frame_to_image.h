// A decoded video frame as an upright RGB picture.
#pragma once

#include <array>
#include <cstdint>

#include "base/result.h"
#include "media/ffmpeg.h"
#include "media/image.h"

namespace gemma3n {

// Where a stored pixel (x, y) is shown: (xx x + xy y, yx x + yy y), moved so that both start at 0.
// One of the eight turns and mirrorings of a rectangle.
struct Orientation {
  int xx = 1, xy = 0, yx = 0, yy = 1;
  bool operator==(const Orientation&) const = default;

  // FFmpeg's 3 x 3 display matrix (16.16 fixed point), to the nearest quarter turn; anything that
  // is none, as stored.
  static Orientation FromDisplayMatrix(const int32_t* matrix);
};

Image Oriented(Image image, const Orientation& orientation);

// Converts one stream's frames, and keeps what libswscale has set up for them.
class FrameConverter {
 public:
  // Every frame is shown in this orientation unless it has one of its own.
  explicit FrameConverter(const Orientation& orientation) : orientation_(orientation) {}

  // The frame's own matrix (BT.601, BT.709, BT.2020, ...) and range count; a frame that names no
  // matrix is BT.601, as in the ffmpeg program. Chroma is interpolated bicubically, rounding is
  // exact, and every instruction set gives the same bytes.
  // Errors: kUnsupported for pixel formats that libswscale cannot read, kResourceExhausted.
  Result<Image> Convert(const AVFrame& frame);

 private:
  struct Source {
    int width = 0, height = 0, format = -1, matrix = -1;
    bool full_range = false;
    bool operator==(const Source&) const = default;
  };
  Status Prepare(const Source& source);

  Orientation orientation_;
  Source source_;
  ScalerPtr scaler_;
};

}  // namespace gemma3n
