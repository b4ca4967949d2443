// What one part of a message becomes in the prompt: words, pictures and clips, in order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/soft_token_cache.h"

namespace gemma3n::internal {

struct PlanItem {
  enum class Kind { kText, kPicture, kClip };
  Kind kind = Kind::kText;
  std::string text;            // kText
  ContentHash key{};           // kPicture: in the cache; kClip: of the samples
  int64_t samples = 0;         // kClip: at 16 kHz
  SoftTokenCache::Entry soft;  // kPicture, and kClip once the longest of the prompt is known
  std::vector<float> audio;    // kClip: the samples, where they were just decoded
};

struct MediumPlan {
  std::vector<PlanItem> items;
  std::vector<std::string> notes;  // for the caller
};

}  // namespace gemma3n::internal
