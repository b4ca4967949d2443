// Anthropic's Messages API: /v1/messages and /v1/messages/count_tokens.
// https://docs.anthropic.com/en/api/messages
#pragma once

#include "server/api/context.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddAnthropicRoutes(Router& router, ApiContext context);

}  // namespace gemma3n::server
