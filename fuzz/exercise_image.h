// What must hold for any bytes: a failure with one sentence, or a whole picture that can be
// resized. Shared by the fuzzer and by the unit test that replays what it found.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "media/decode_image.h"
#include "media/resize.h"

namespace gemma3n::fuzz {

inline void RequireOfImage(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline void ExerciseImage(std::span<const std::byte> bytes) {
  const ImageLimits limits = {.max_side = 5000, .max_pixels = 1'000'000};
  const auto image = DecodeImage(bytes, "fuzz", limits);
  if (!image.ok()) {
    const std::string message = image.status().message();
    RequireOfImage(message.starts_with("fuzz: ") && message.size() > 6, "a failure says why");
    RequireOfImage(message.find('\n') == std::string::npos, "in one line");
    RequireOfImage(image.status().code() != StatusCode::kInternal, "not by a defect");
    return;
  }
  const int64_t width = image->width, height = image->height;
  RequireOfImage(width > 0 && height > 0 && width <= limits.max_side && height <= limits.max_side,
                 "sides are within the limit");
  RequireOfImage(width * height <= limits.max_pixels, "so is the number of pixels");
  RequireOfImage(image->rgb.size() == static_cast<size_t>(width * height * 3),
                 "every pixel is there");
  const Image resized = ResizeBilinear(*image, 24, 17);
  RequireOfImage(resized.rgb.size() == 24 * 17 * 3, "so it is after resizing");
}

}  // namespace gemma3n::fuzz
