// Ollama's API: /api/chat, /api/generate, /api/tags, /api/show, /api/ps, /api/version.
// https://github.com/ollama/ollama/blob/main/docs/api.md
#pragma once

#include <memory>
#include <string>

#include "server/api/context.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddOllamaRoutes(Router& router, ApiContext context);

// Handlers that AddOllamaRoutes adds.
void HandleOllamaTags(const ApiContext& context, const std::shared_ptr<Exchange>& exchange);
void HandleOllamaShow(const ApiContext& context, const std::shared_ptr<Exchange>& exchange);
void HandleOllamaPs(const ApiContext& context, const std::shared_ptr<Exchange>& exchange);
void HandleOllamaVersion(const ApiContext& context, const std::shared_ptr<Exchange>& exchange);

// Ends the exchange with an error in the API's form. 429 and 503 say when to come again.
void RespondOllamaError(Exchange& exchange, int http_status, const std::string& message);

}  // namespace gemma3n::server
