#include "server/api/anthropic.h"

#include <memory>
#include <string>
#include <utility>

#include "formats/json.h"
#include "server/api/anthropic_answer.h"
#include "server/api/anthropic_request.h"
#include "server/api/model_field.h"
#include "server/api/random_id.h"

namespace gemma3n::server {
namespace {

// The request, or none after an error was sent.
std::optional<AnthropicRequest> Read(const ApiContext& context, Exchange& exchange, bool counting) {
  const auto body = ParseBody(exchange.request().body);
  if (!body.ok()) {
    RespondAnthropicError(exchange, 400, body.status().message());
    return std::nullopt;
  }
  AnthropicRequest request;
  if (const auto error = ReadAnthropicRequest(*body, context, counting, &request)) {
    RespondAnthropicError(exchange, IsUnknownModel(*error) ? 404 : HttpStatusOf(*error),
                          error->status.message());
    return std::nullopt;
  }
  return request;
}

void HandleMessages(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  auto request = Read(context, *exchange, /*counting=*/false);
  if (!request) return;
  auto sink = MakeAnthropicSink(exchange, RandomId("msg_"), request->model, request->stream);
  context.generator->Run(std::move(request->generation), std::move(exchange), std::move(sink));
}

void HandleCountTokens(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  const auto request = Read(context, *exchange, /*counting=*/true);
  if (!request) return;
  const auto prompt = context.generator->ReadPrompt(request->generation);
  if (!prompt.ok()) {
    return RespondAnthropicError(*exchange, HttpStatusOf(prompt.status()),
                                 prompt.status().message());
  }
  exchange->Respond(200, "application/json",
                    DumpOrderedJson({{"input_tokens", prompt->tokens.size()}}));
}

}  // namespace

void AddAnthropicRoutes(Router& router, ApiContext context) {
  const auto shared = std::make_shared<const ApiContext>(std::move(context));
  const auto add = [&](const char* path, auto handle) {
    router.Add("POST", path, ErrorStyle::kAnthropic,
               [shared, handle](std::shared_ptr<Exchange> exchange) {
                 handle(*shared, std::move(exchange));
               });
  };
  add("/v1/messages", HandleMessages);
  add("/v1/messages/count_tokens", HandleCountTokens);
}

}  // namespace gemma3n::server
