// What goes into a prompt: messages made of parts.
#pragma once

#include <string>
#include <vector>

namespace gemma3n {

// One piece of a message: words, or a medium that the model reads among the words.
struct Part {
  enum class Kind { kText, kImage, kAudio };
  Kind kind = Kind::kText;
  std::string text;  // kText: UTF-8 words

  static Part Text(std::string words) { return {Kind::kText, std::move(words)}; }
};

// One turn of a conversation.
struct Message {
  std::string role;  // "system" (first only), "user", "assistant"; others as the chat template allows
  std::vector<Part> parts;
  bool is_string = true;  // one text part given as a plain string: templates trim such content as a whole

  static Message Text(std::string role, std::string words) {
    return {std::move(role), {Part::Text(std::move(words))}, true};
  }
};

}  // namespace gemma3n
