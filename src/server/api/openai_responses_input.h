// The input of /v1/responses: a string, or messages, function calls and their outputs.
#pragma once

#include "server/api/media_access.h"
#include "server/api/request_json.h"
#include "server/api/response_store.h"

namespace gemma3n::server {

// Appends `input` to the conversation. Media are opened, which may take a while.
void ReadResponsesInput(const Fields& fields, const MediaAccess& media,
                        StoredConversation* conversation);

}  // namespace gemma3n::server
