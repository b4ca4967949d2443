// OpenAI's speech to text: /v1/audio/transcriptions and /v1/audio/translations.
// https://platform.openai.com/docs/api-reference/audio
#pragma once

#include "server/api/context.h"
#include "server/api/transcription_pool.h"
#include "server/http/router.h"

namespace gemma3n::server {

// `pool` outlives the routes, and is stopped before the scheduler goes.
void AddAudioRoutes(Router& router, ApiContext context, TranscriptionPool& pool);

}  // namespace gemma3n::server
