// Pictures as people have them: JPEG, PNG, WebP, GIF and BMP to 8-bit RGB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "media/image.h"

namespace gemma3n {

// Checked from a file's header, before memory is taken for its picture.
struct ImageLimits {
  int64_t max_side = 65'500;                // pixels, width and height alike
  int64_t max_pixels = 128'000'000;         // width * height
  size_t max_file_bytes = size_t{1} << 28;  // 256 MiB
};

// The picture in `bytes`, upright and opaque, sample for sample what the reference makes of the
// file: transformers' convert_to_rgb(PIL.ImageOps.exif_transpose(PIL.Image.open(file))).
//   * The format is recognised by content. Of an animation, the first frame.
//   * EXIF orientation, or else XMP's, is applied.
//   * Alpha, and a transparent colour or palette entry, is composited on white.
//   * Grey is replicated; CMYK and YCCK are taken as Adobe writes them (inverted).
//   * 16-bit RGB and alpha keep the high byte. 16-bit grey is clipped at 255 and a transparent grey
//     of 2 or 4 bits is compared unscaled, because Pillow does that.
// `name` begins every message: a path, or what the caller calls the picture.
// Errors: kCorruptFile (empty, truncated, damaged), kUnsupported (no picture, or one of another
// kind), kResourceExhausted (over a limit).
Result<Image> DecodeImage(std::span<const std::byte> bytes, const std::string& name,
                          const ImageLimits& limits = {});

// The picture that a path or a data: URL (media/source.h) leads to. Errors: also ReadSource's.
Result<Image> LoadImage(const std::string& source, const ImageLimits& limits = {});

}  // namespace gemma3n
