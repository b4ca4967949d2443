// Conversations to prompt text: the built-in Gemma template, or a checkpoint's own Jinja template.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n {

class ChatTemplate {
 public:
  // Gemma 3n's instruction format. An image renders as <image_soft_token>, audio as <audio_soft_token>.
  static ChatTemplate Builtin();
  // A Jinja template as Gemma-family checkpoints ship it. Errors: kUnsupported naming the construct and its line;
  // kCorruptFile for syntax errors with the line. `name` is the source's name for messages.
  static Result<ChatTemplate> Parse(std::string_view source, const std::string& name);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  struct Variables {
    std::string bos_token = "<bos>";
    std::string eos_token = "<eos>";
    bool add_generation_prompt = true;
  };
  // Errors: kInvalidArgument when the template refuses the messages (its own raise_exception text), e.g. roles that do not
  // alternate, or a role or content it does not know; kUnsupported for a construct met at run time.
  Result<std::string> Render(std::span<const Message> messages, const Variables& variables) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n
