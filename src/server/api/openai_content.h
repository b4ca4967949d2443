// Messages and their parts as OpenAI's APIs write them.
#pragma once

#include <string>
#include <vector>

#include "gemma3n/content.h"
#include "server/api/media_access.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// messages: role, content (a string or parts: text, image_url, input_audio, audio_url, video_url),
// an assistant's tool_calls, a tool's tool_call_id. Media are opened, which may take a while.
std::vector<Message> ReadOpenAiMessages(const Fields& fields, const MediaAccess& media);

// {data, format} of an input_audio.
Part OpenInputAudio(const Fields& audio, const MediaAccess& media);

}  // namespace gemma3n::server
