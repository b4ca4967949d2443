// What every fuzzer asks: that something holds, and that a failure is one sentence.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/result.h"

namespace gemma3n::fuzz {

inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline bool FailedWell(const Status& status) {
  if (status.ok()) return false;
  Require(!status.message().empty(), "a failure says why");
  Require(status.message().find('\n') == std::string::npos, "in one line");
  Require(status.code() != StatusCode::kInternal, "not by a defect");
  return true;
}

}  // namespace gemma3n::fuzz
