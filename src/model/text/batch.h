// The decoder's unit of work: a ragged batch of rows. A slice of a prompt, a step of decode, the
// steps of many sequences and the check of a draft are all the same call.
#pragma once

#include <cstdint>

namespace gemma3n {

struct BatchRow {
  int32_t token = 0;     // also chooses the per-layer embedding row
  int sequence = 0;      // index into the forward's caches
  int64_t position = 0;  // in its sequence; rows of one sequence follow each other without a gap
  bool wants_logits = false;
  const float* embedding = nullptr;  // [D] instead of the token's own (soft tokens); not owned
};

}  // namespace gemma3n
