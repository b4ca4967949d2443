// What was said so far: as messages for the template, and as the ids that the session's cache
// holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"

namespace gemma3n::cli {

class Conversation {
 public:
  Conversation(const Engine& engine, std::string system)
      : engine_(engine), system_(std::move(system)) {
    Reset();
  }

  // The conversation with one more message from the user. Its ids begin with the very ids of the
  // earlier turns, also where the answer's text would be tokenized in another way, so that only
  // the new ones have to be computed. Errors: as Engine::ChatPrompt.
  Result<Prompt> PromptWith(const Message& user, const MediaOptions& media) const;

  // The turn happened: `prompt` is what PromptWith gave.
  void Add(const Message& user, const Prompt& prompt, const GenerationResult& answer);

  void Reset();  // forgets all but the system message
  bool empty() const { return turns() == 0; }
  int64_t turns() const;  // questions asked

  // {"messages": [{"role": ..., "content": ...}, ...]}, as chat APIs have it; content is a text, or
  // a list of {"type": "text", "text": ...} and {"type": "image" | "audio" | "video", "path": ...}.
  // Errors: kNotFound, kIo, kResourceExhausted, kCorruptFile; after an error the conversation is as
  // before.
  Status Save(const std::string& path) const;
  Status Load(const std::string& path, const MediaOptions& media);

 private:
  const Engine& engine_;
  std::string system_;
  std::vector<Message> messages_;
  std::vector<int32_t> ids_;  // prompt and answer of the last turn; empty when unknown
  std::string ids_text_;      // the rendered text that ids_ stand for
};

}  // namespace gemma3n::cli
