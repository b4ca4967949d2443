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

  // Ids of the conversation with one more message from the user. They begin with the very ids of
  // the earlier turns, also where the answer's text would be tokenized in another way, so that only
  // the new ones have to be computed. Errors: as Engine::ChatPrompt.
  Result<std::vector<int32_t>> PromptWith(const std::string& user) const;

  // The turn happened: `prompt` is what PromptWith gave.
  void Add(const std::string& user, std::span<const int32_t> prompt,
           const GenerationResult& answer);

  void Reset();  // forgets all but the system message
  bool empty() const { return turns() == 0; }
  int64_t turns() const;  // questions asked

  // {"messages": [{"role": ..., "content": ...}, ...]}, as chat APIs have it. Errors: kNotFound,
  // kIo, kResourceExhausted, kCorruptFile; after an error the conversation is as before.
  Status Save(const std::string& path) const;
  Status Load(const std::string& path);

 private:
  const Engine& engine_;
  std::string system_;
  std::vector<Message> messages_;
  std::vector<int32_t> ids_;  // prompt and answer of the last turn; empty when unknown
  std::string ids_text_;      // the rendered text that ids_ stand for
};

}  // namespace gemma3n::cli
