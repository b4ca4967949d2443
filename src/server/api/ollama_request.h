// Ollama's chat and generate requests as Generations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/api/context.h"
#include "server/api/generation.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

struct OllamaRequest {
  Generation generation;
  std::string model;
  bool stream = true;
  int top_logprobs = -1;         // -1: none; 0: of the tokens; n: and of the n most probable
  bool raw = false;              // generate: the prompt as it stands
  bool empty = false;            // no prompt at all: load the model
  std::vector<int32_t> context;  // generate: the ids of what was said before
};

// Besides the API's "images" there are "audios" and "videos" beside them, base64 too. What this
// engine has no counterpart of (keep_alive, num_ctx, num_thread, mirostat, ...) is passed over.
// Errors: the first field that is wrong; kNotFound only for the model.
std::optional<RequestError> ReadOllamaChat(const Json& body, const ApiContext& context,
                                           OllamaRequest* request);
std::optional<RequestError> ReadOllamaGenerate(const Json& body, const ApiContext& context,
                                               OllamaRequest* request);

// The name without ":latest", which Ollama's clients add.
std::string OllamaModelName(std::string model);

}  // namespace gemma3n::server
