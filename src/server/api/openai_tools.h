// tools, tool_choice and parallel_tool_calls of OpenAI's APIs, and earlier calls in a conversation.
#pragma once

#include <vector>

#include "chat/tools.h"
#include "server/api/generation.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// `flat`: a function's fields lie beside its type, as in /v1/responses; otherwise below "function".
void ReadOpenAiTools(const Fields& fields, bool flat, Generation* generation);

// {"id", "function": {"name", "arguments"}} of an assistant's message. The id is kept.
std::vector<ToolCall> ReadToolCalls(const Fields& message);

// As chat/tools.h writes them.
std::vector<FunctionCall> FunctionCallsOf(const std::vector<ToolCall>& calls);

}  // namespace gemma3n::server
