// The target of a request line as a path and its parameters.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n::server {

struct Target {
  std::string path;                          // decoded, begins with "/", or is "*"
  std::map<std::string, std::string> query;  // decoded; of several of one name the last
};

// target: origin form ("/v1/models?x=1"), absolute form ("http://host/v1/models") or "*". Errors:
// kInvalidArgument (another form, a bad percent escape, a control character or no UTF-8 in the
// path).
Result<Target> ParseTarget(std::string_view target);

}  // namespace gemma3n::server
