// Answers and errors as OpenAI's API writes them.
#pragma once

#include <string>
#include <string_view>

#include "server/api/request_json.h"
#include "server/http/error_body.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

// 200 and a document.
void RespondJson(Exchange& exchange, const Json& body);

// The code that clients look for: "context_length_exceeded", "rate_limit_exceeded", ... or "".
std::string_view OpenAiErrorCode(int http_status, const Status& status);

// Ends the exchange with an error. 429 and 503 say when to come again.
void RespondOpenAiError(Exchange& exchange, int http_status, std::string_view message,
                        std::string_view param = {}, std::string_view code = {});
// What is wrong with the request: 400, 404 for a model that is not here, ...
void RespondOpenAiError(Exchange& exchange, const RequestError& error);

}  // namespace gemma3n::server
