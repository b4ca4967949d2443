// Ollama's answers out of a Generation's events: lines of JSON, or one object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/context.h"
#include "server/api/request_json.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

struct OllamaReply {
  std::string model;
  bool chat = true;  // {"message": ...} rather than {"response": ...}
  bool stream = true;
  int top_logprobs = -1;  // -1: none; 0: of the tokens; n: and of the n most probable
  // generate: the prompt's ids; with them the last line has "context", these and the answer's.
  std::optional<std::vector<int32_t>> prompt;
};

std::shared_ptr<Sink> MakeOllamaSink(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                                     OllamaReply reply);

// The answer to a request without a prompt: the model is there.
void RespondOllamaLoaded(Exchange& exchange, const OllamaReply& reply);

}  // namespace gemma3n::server
