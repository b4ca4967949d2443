// Errors as the APIs' clients expect them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gemma3n::server {

// Whose form an error takes (each API has its own).
enum class ErrorStyle { kOpenAi, kAnthropic, kOllama };

// OpenAI's: {"error": {"message", "type", "param", "code"}}; null for an empty param or code.
nlohmann::ordered_json OpenAiError(int http_status, std::string_view message,
                                   std::string_view param = {}, std::string_view code = {});

// An error as that API writes it: OpenAI {"error": {message, type, param, code}}, Anthropic
// {"type": "error", "error": {type, message}}, Ollama {"error": message}.
std::string ErrorBody(ErrorStyle style, int http_status, std::string_view message);

}  // namespace gemma3n::server
