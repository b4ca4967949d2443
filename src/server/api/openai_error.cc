#include "server/api/openai_error.h"

#include "formats/json.h"
#include "server/api/model_field.h"

namespace gemma3n::server {

std::string_view OpenAiErrorCode(int http_status, const Status& status) {
  if (http_status == 429) return "rate_limit_exceeded";
  if (http_status == 504) return "timeout";
  if (http_status == 400 && status.code() == StatusCode::kOutOfRange) {
    return "context_length_exceeded";
  }
  return {};
}

void RespondJson(Exchange& exchange, const Json& body) {
  exchange.Respond(200, "application/json", DumpOrderedJson(body));
}

void RespondOpenAiError(Exchange& exchange, int http_status, std::string_view message,
                        std::string_view param, std::string_view code) {
  Headers headers;
  if (http_status == 429 || http_status == 503) headers.emplace_back("Retry-After", "1");
  exchange.Respond(http_status, "application/json",
                   DumpOrderedJson(OpenAiError(http_status, message, param, code)),
                   std::move(headers));
}

void RespondOpenAiError(Exchange& exchange, const RequestError& error) {
  const bool unknown = IsUnknownModel(error);
  RespondOpenAiError(exchange, unknown ? 404 : HttpStatusOf(error), error.status.message(),
                     error.param, unknown ? "model_not_found" : "");
}

}  // namespace gemma3n::server
