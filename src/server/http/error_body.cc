// The three forms of an error. Names of types as the APIs document them:
// platform.openai.com/docs/guides/error-codes, docs.anthropic.com/en/api/errors.
#include "server/http/error_body.h"

#include <nlohmann/json.hpp>

namespace gemma3n::server {
namespace {

using Json = nlohmann::ordered_json;

Json TextOrNull(std::string_view text) { return text.empty() ? Json() : Json(text); }

const char* OpenAiType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string_view OpenAiCode(int status) {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 429:
      return "rate_limit_exceeded";
    case 503:
      return "overloaded";
    default:
      return {};
  }
}

const char* AnthropicType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

Json OpenAiError(int http_status, std::string_view message, std::string_view param,
                 std::string_view code) {
  return {{"error",
           {{"message", message},
            {"type", OpenAiType(http_status)},
            {"param", TextOrNull(param)},
            {"code", TextOrNull(code)}}}};
}

std::string ErrorBody(ErrorStyle style, int http_status, std::string_view message) {
  const std::string text(message);
  Json json;
  switch (style) {
    case ErrorStyle::kOpenAi:
      json = OpenAiError(http_status, text, {}, OpenAiCode(http_status));
      break;
    case ErrorStyle::kAnthropic:
      json = {{"type", "error"},
              {"error", {{"type", AnthropicType(http_status)}, {"message", text}}}};
      break;
    case ErrorStyle::kOllama:
      json = {{"error", text}};
      break;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gemma3n::server
