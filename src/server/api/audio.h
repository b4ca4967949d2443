// OpenAI's speech to text: /v1/audio/transcriptions and /v1/audio/translations.
// https://platform.openai.com/docs/api-reference/audio
#pragma once

#include "server/api/context.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddAudioRoutes(Router& router, ApiContext context);

}  // namespace gemma3n::server
