// Gemma 3n's instruction format.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n {

// <bos>, then each message as <start_of_turn>ROLE\n ... <end_of_turn>\n, and the start of the
// model's turn when add_generation_prompt. Errors: kInvalidArgument when there is no message, or they do not
// alternate between user and assistant.
Result<std::string> RenderGemma3n(std::span<const Message> messages, std::string_view bos_token,
                                  bool add_generation_prompt);

}  // namespace gemma3n
