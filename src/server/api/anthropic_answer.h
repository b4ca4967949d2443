// A Messages answer out of a Generation's events, whole or as server-sent events.
#pragma once

#include <memory>
#include <string>

#include "server/api/generation.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

// Ends the exchange with an error in the API's form. 429 and 503 say when to come again.
void RespondAnthropicError(Exchange& exchange, int http_status, const std::string& message);

// `id` and `model` are the answer's; stream: send it as it is made.
std::shared_ptr<Sink> MakeAnthropicSink(std::shared_ptr<Exchange> exchange, std::string id,
                                        std::string model, bool stream);

}  // namespace gemma3n::server
