// A transcript in each of the API's forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gemma3n/engine.h"
#include "server/api/audio_request.h"
#include "server/api/generation.h"

namespace gemma3n::server {

struct TranscribedClip {
  double begin = 0, end = 0;  // seconds
  std::string text;
  GenerationResult result;  // tokens and their probabilities
};

// What to write between a text and what follows it, and `next` without the blanks in front of it:
// clips' texts are words in a row.
std::string Continuation(std::string_view text, std::string_view next);

struct TranscriptBody {
  std::string content_type, text;
};
// `engine` has the tokens' texts.
TranscriptBody Transcript(const Engine& engine, const AudioRequest& request,
                          const std::vector<TranscribedClip>& clips, const Usage& usage);

// Data of the events of a stream; `text` is what the deltas gave.
std::string TranscriptDelta(std::string_view text);
std::string TranscriptDone(const Engine& engine, const AudioRequest& request,
                           const std::vector<TranscribedClip>& clips, std::string_view text,
                           const Usage& usage);

}  // namespace gemma3n::server
