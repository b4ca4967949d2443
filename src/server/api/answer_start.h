// Conversations that end with the beginning of the answer.
#pragma once

#include "server/api/generation.h"

namespace gemma3n::server {

// A last message of the assistant's becomes what the answer goes on after, as in Anthropic's and
// Ollama's APIs.
inline void TakeAnswerStart(Generation* generation) {
  std::vector<Message>& messages = generation->messages;
  if (messages.size() < 2 || messages.back().role != "assistant") return;
  for (const Part& part : messages.back().parts) generation->answer_start += part.text;
  messages.pop_back();
}

}  // namespace gemma3n::server
