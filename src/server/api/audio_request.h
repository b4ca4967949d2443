// The form of a transcription request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/transcription.h"
#include "server/api/multipart.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

enum class AudioFormat { kJson, kText, kSrt, kVtt, kVerboseJson };

struct AudioRequest {
  std::string_view file;  // within the body
  std::string filename, model;
  TranscriptionTask task;
  std::string prompt;    // what was said before, or what it is about
  std::string keywords;  // that may come up, with commas between
  AudioFormat format = AudioFormat::kJson;
  float temperature = 0;
  bool stream = false;
  bool logprobs = false;  // of the tokens, with JSON
};

// Fields of the API that have no counterpart here (chunking_strategy, ...) are passed over.
// translate: into English. Errors: the first field that is wrong.
std::optional<RequestError> ReadAudioRequest(const std::vector<FormField>& fields, bool translate,
                                             AudioRequest* request);

}  // namespace gemma3n::server
