// A decoded picture.
#pragma once

#include <cstdint>
#include <vector>

namespace gemma3n {

// 8-bit RGB, rows from the top, no padding: rgb[(y * width + x) * 3 + channel].
struct Image {
  int64_t width = 0, height = 0;  // pixels
  std::vector<uint8_t> rgb;       // [height, width, 3]
};

}  // namespace gemma3n
