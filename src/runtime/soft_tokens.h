// What a tower made of one picture or one clip.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/content_hash.h"

namespace gemma3n {

struct SoftTokens {
  ContentHash hash{};       // which content, encoded how
  int64_t count = 0;        // 256 for a picture, 188 for a clip
  std::vector<float> rows;  // [count, D], rows of the decoder's input
};

}  // namespace gemma3n
