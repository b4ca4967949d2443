// OpenAI's APIs: /v1/chat/completions, /v1/completions, /v1/responses, /v1/models.
#pragma once

#include "server/api/context.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddOpenAiRoutes(Router& router, ApiContext context);

// One of the handlers each; AddOpenAiRoutes adds them all.
void HandleChatCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleModels(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleModel(const ApiContext& context, std::shared_ptr<Exchange> exchange);

}  // namespace gemma3n::server
