// A Messages request as a Generation.
#pragma once

#include <optional>
#include <string>

#include "server/api/context.h"
#include "server/api/generation.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

struct AnthropicRequest {
  Generation generation;
  std::string model;
  bool stream = false;
};

// Reads the fields of the API and, besides its blocks, {"type": "audio" | "video", "source": ...}
// with an image's kinds of source. What this engine has no counterpart of (thinking, caching,
// metadata, tiers) is passed over. counting: the request asks for the prompt's length alone, and
// needs no max_tokens. Errors: the first field that is wrong; kNotFound only for the model. Opening
// media may take time, and comes last.
std::optional<RequestError> ReadAnthropicRequest(const Json& body, const ApiContext& context,
                                                 bool counting, AnthropicRequest* request);

}  // namespace gemma3n::server
