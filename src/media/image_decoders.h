// What DecodeImage is made of: one decoder per format, each in a file of its own over the format's
// library. Each checks the declared size before it takes memory for the picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "media/decode_image.h"

namespace gemma3n {

struct ImageFile {
  std::span<const std::byte> bytes;
  const std::string& name;
  const ImageLimits& limits;

  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes.data()); }
  // Errors that begin with the name.
  Status Truncated(const char* format) const;
  Status Corrupt(const char* format, const char* what) const;
};

// May throw std::bad_alloc, which DecodeImage turns into a Status.
Result<Image> DecodeJpeg(const ImageFile& file);
Result<Image> DecodePng(const ImageFile& file);
Result<Image> DecodeWebp(const ImageFile& file);
Result<Image> DecodeGif(const ImageFile& file);
Result<Image> DecodeBmp(const ImageFile& file);

// Whether a picture of that size may be decoded.
Status CheckImageSize(const ImageFile& file, int64_t width, int64_t height);

// A picture of that size, all zeros. Precondition: CheckImageSize passed.
Image MakeImage(int64_t width, int64_t height);

// One pixel composited on white, with the roundings of PIL.Image.alpha_composite.
inline void PutOnWhite(const uint8_t rgb[3], uint32_t alpha, uint8_t out[3]) {
  for (int c = 0; c < 3; ++c) {
    const uint32_t sum = (rgb[c] * alpha + 255 * (255 - alpha) + 128) << 7;
    out[c] = static_cast<uint8_t>((((sum >> 8) + sum) >> 8) >> 7);
  }
}

}  // namespace gemma3n
