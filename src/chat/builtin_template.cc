// builtin_template.cc - the chat format of google/gemma-3n-*-it.
//
//   <bos> { <start_of_turn> role \n [system \n\n, first turn only] content <end_of_turn> \n } [
//   <start_of_turn>model\n ]
//
// A system message first (as it is, not trimmed; of a list, the first part) goes in front of the
// first turn's content. Content that is one string is trimmed; of a list, each text is trimmed and
// joined without separators.
#include "chat/builtin_template.h"

#include "chat/jinja/text.h"
#include "chat/placeholders.h"

namespace gemma3n {
namespace {

Result<std::string> SystemPrefix(const Message& message) {
  std::string prefix;
  if (message.is_string) {
    for (const Part& part : message.parts) prefix += part.text;
  } else if (!message.parts.empty() && message.parts.front().kind == Part::Kind::kText) {
    prefix = message.parts.front().text;
  } else {
    return Error(StatusCode::kInvalidArgument, "system message: expected text as its first part");
  }
  return prefix + "\n\n";
}

std::string Content(const Message& message) {
  std::string content;
  for (const Part& part : message.parts) {
    switch (part.kind) {
      case Part::Kind::kText:
        content += message.is_string ? std::string_view(part.text) : jinja::Strip(part.text);
        break;
      case Part::Kind::kImage:
        content += kImageSoftToken;
        break;
      case Part::Kind::kAudio:
        content += kAudioSoftToken;
        break;
      case Part::Kind::kVideo:
        break;  // frames and clips by now (MediaReader)
    }
  }
  return message.is_string ? std::string(jinja::Strip(content)) : content;
}

}  // namespace

Result<std::string> RenderGemma3n(std::span<const Message> messages, std::string_view bos_token,
                                  bool add_generation_prompt) {
  if (messages.empty())
    return Error(StatusCode::kInvalidArgument, "chat: expected at least one message, found none");
  std::string prefix;
  if (messages.front().role == "system") {
    G3N_ASSIGN_OR_RETURN(prefix, SystemPrefix(messages.front()));
    messages = messages.subspan(1);
  }
  std::string out(bos_token);
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if ((message.role == "user") != (i % 2 == 0)) {
      return Error(StatusCode::kInvalidArgument,
                   "conversation roles must alternate user/assistant/user/assistant/..., found "
                   "'{}' as message {}",
                   message.role, i + 1);
    }
    out += "<start_of_turn>";
    out += message.role == "assistant" ? "model" : message.role;
    out += '\n';
    if (i == 0) out += prefix;
    out += Content(message);
    out += "<end_of_turn>\n";
  }
  if (add_generation_prompt) out += "<start_of_turn>model\n";
  return out;
}

}  // namespace gemma3n
