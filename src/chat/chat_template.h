// Conversations to prompt text: the built-in Gemma template, or a checkpoint's own Jinja template.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n {

class ChatTemplate {
 public:
  // Gemma 3n's instruction format. An image renders as <image_soft_token>, audio as
  // <audio_soft_token>.
  static ChatTemplate Builtin();
  // A Jinja template as Gemma-family checkpoints ship it. Errors: kUnsupported naming the construct
  // and its line; kCorruptFile for syntax errors with the line. `name` is the source's name for
  // messages.
  static Result<ChatTemplate> Parse(std::string_view source, const std::string& name);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  struct Variables {
    std::string bos_token = "<bos>";
    std::string eos_token = "<eos>";
    bool add_generation_prompt = true;
    // Other tokens by the names that templates call them, e.g. {"pad_token", "<pad>"}.
    std::vector<std::pair<std::string, std::string>> tokens;
    // What strftime_now reads; empty: the system's local time.
    std::function<std::tm()> clock;
  };
  // Templates see messages (role; content, a string or a list of parts with type and text), the
  // variables above, and tools and documents as none. Special tokens written in the messages' text
  // come out as they are: see special_text.h. Errors: kInvalidArgument when the template refuses
  // the messages (its own raise_exception text), e.g. roles that do not alternate, or a role or
  // content it does not know, and for text that is not UTF-8; kUnsupported for a construct met at
  // run time; kResourceExhausted for a template that takes too many steps or makes too much text.
  Result<std::string> Render(std::span<const Message> messages, const Variables& variables) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n
