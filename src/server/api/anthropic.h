// Anthropic's Messages API: /v1/messages and /v1/messages/count_tokens.
// https://docs.anthropic.com/en/api/messages
#pragma once

#include <string>
#include <vector>

#include "server/api/context.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddAnthropicRoutes(Router& router, ApiContext context);

// /v1/models is OpenAI's path too; a request of this API says which version of it is meant.
bool IsAnthropicRequest(const HttpRequest& request);
// The models of these names, in this API's form.
void RespondAnthropicModels(const ApiContext& context, Exchange& exchange,
                            const std::vector<std::string>& names);
void RespondAnthropicModel(const ApiContext& context, Exchange& exchange, const std::string& name);

}  // namespace gemma3n::server
