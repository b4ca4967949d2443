// Where a picture, a sound or a video comes from: a path, or a data: URL that holds it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

// The bytes of a file, or those a data: URL spells (RFC 2397: base64 or percent-encoded; padding
// may be missing, white space within base64 is skipped).
// Errors: kNotFound, kIo, kInvalidArgument (a malformed URL), kResourceExhausted (over max_bytes).
Result<std::vector<std::byte>> ReadSource(const std::string& source, size_t max_bytes);

// Those that the URL spells, and those that base64 alone spells, which is otherwise as in a URL.
Result<std::vector<std::byte>> ReadDataUrl(std::string_view url, size_t max_bytes);
Result<std::vector<std::byte>> DecodeBase64(std::string_view text, size_t max_bytes);

// Whether it is one of these URLs rather than a path. The scheme is case-insensitive.
bool IsDataUrl(std::string_view source);

// What messages call it: the path, or "data: URL".
std::string SourceName(const std::string& source);

}  // namespace gemma3n
