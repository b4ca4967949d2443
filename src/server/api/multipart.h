// multipart/form-data (RFC 7578), as browsers and HTTP clients send forms with files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n::server {

struct FormField {
  std::string name;
  std::string filename;      // empty: not a file
  std::string_view content;  // within the body
};

// The fields of a body in their order; a name may come more than once. `content_type` is the
// request's header, which names the boundary. At most 64 fields, with headers of at most 8 KiB
// each. Errors: kInvalidArgument with what was expected.
Result<std::vector<FormField>> ParseMultipart(std::string_view content_type, std::string_view body);

}  // namespace gemma3n::server
