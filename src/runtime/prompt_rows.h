// A prompt as the decoder reads it: for every position its token, and its row where that is a
// medium's.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "gemma3n/prompt.h"
#include "runtime/engine_impl.h"

namespace gemma3n::internal {

struct PromptRow {
  int32_t token = 0;
  const float* embedding = nullptr;  // [D] of a soft token, null elsewhere; the Prompt owns it
  // Equal where two rows mean the same to the decoder: the token's id, or for a soft token its
  // medium's hash and its place in there.
  uint64_t identity = 0;
};

// Errors: kInvalidArgument when the prompt is empty, has ids outside the vocabularies, or another
// number of soft tokens than its media; kOutOfRange when it is longer than `context`.
Result<std::vector<PromptRow>> PromptRows(const Prompt& prompt, const EngineImpl& engine,
                                          int64_t context);

}  // namespace gemma3n::internal
