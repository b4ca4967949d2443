// Conversations as chat APIs write them:
//   {"messages": [{"role": "user", "content": "Hi"}, ...]}, or the list alone. Content is a text,
//   or a list of
//   {"type": "text", "text": ...} and {"type": "image" | "audio" | "video", "path": ...}.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n::cli {

// `name` is the file's, for messages. Errors: kCorruptFile.
Result<std::vector<Message>> ParseMessages(std::string_view json, const std::string& name);

// The same from a file, "-" being standard input. Errors: also ReadFileOrStdin's.
Result<std::vector<Message>> ReadMessages(const std::string& file);

std::string MessagesJson(std::span<const Message> messages);

}  // namespace gemma3n::cli
