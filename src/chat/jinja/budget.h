// What a template may spend. Templates come from the internet: one that loops for ever or builds
// gigabytes is refused.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace gemma3n::jinja {

struct Limits {
  int64_t steps = 10'000'000;          // nodes evaluated, and work on long strings and lists
  int64_t bytes = int64_t{256} << 20;  // of text and lists made, output included
  int depth = 300;                     // statements, expressions and macro calls inside one another
  size_t source_bytes = size_t{1} << 20;  // longest template
};

class Budget {
 public:
  explicit Budget(const Limits& limits)
      : limits_(limits), steps_(limits.steps), bytes_(limits.bytes) {}

  Status Steps(size_t n = 1) {
    if (n <= static_cast<size_t>(steps_)) {
      steps_ -= static_cast<int64_t>(n);
      return OkStatus();
    }
    steps_ = 0;
    return Error(StatusCode::kResourceExhausted, "takes more than {} steps", limits_.steps);
  }

  // Work that grows with a string's length but makes nothing of that length.
  Status Scan(size_t bytes) { return Steps(1 + bytes / 64); }

  // Before that many bytes are made.
  Status Bytes(size_t n) {
    if (n <= static_cast<size_t>(bytes_)) {
      bytes_ -= static_cast<int64_t>(n);
      return OkStatus();
    }
    bytes_ = 0;
    return Error(StatusCode::kResourceExhausted, "makes more than {} bytes of text and lists",
                 limits_.bytes);
  }

  // Before n copies of a piece are made.
  Status Bytes(size_t n, size_t each) {
    size_t total = 0;
    if (__builtin_mul_overflow(n, each, &total)) total = SIZE_MAX;
    return Bytes(total);
  }

  const Limits& limits() const { return limits_; }

 private:
  Limits limits_;
  int64_t steps_, bytes_;
};

}  // namespace gemma3n::jinja
