// The first lines of an answer, and the frames of one that comes in pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/exchange.h"

namespace gemma3n::server {

struct ResponseHead {
  int status = 200;
  std::string_view content_type;         // empty: no body
  std::optional<int64_t> content_bytes;  // unset: chunked, or (HTTP/1.0) until the end
  bool http10 = false;                   // the client's version
  bool close = false;                    // the connection ends after the answer
};

// With Date, and the given headers but those whose value has a line break.
std::string HeadText(const ResponseHead& head, const Headers& headers, const Headers& more);

// A piece of a chunked answer, not empty.
std::string ChunkText(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

const char* ReasonPhrase(int status);

}  // namespace gemma3n::server
