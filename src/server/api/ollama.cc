#include "server/api/ollama.h"

#include <utility>

#include "server/api/model_field.h"
#include "server/api/ollama_answer.h"
#include "server/api/ollama_request.h"

namespace gemma3n::server {
namespace {

// The ids of a prompt that goes on after `context`: the earlier answer's turn is closed, and <bos>
// stands in front already.
Result<std::vector<int32_t>> Continued(const ApiContext& api, std::vector<int32_t> context,
                                       std::vector<int32_t> prompt) {
  if (context.empty()) return prompt;
  G3N_ASSIGN_OR_RETURN(const std::vector<int32_t> turn_end,
                       api.engine->Tokenize("<end_of_turn>\n", /*add_bos=*/false));
  context.insert(context.end(), turn_end.begin(), turn_end.end());
  context.insert(context.end(), prompt.begin() + 1, prompt.end());
  return context;
}

bool HasMedia(const Generation& generation) {
  for (const Message& message : generation.messages) {
    for (const Part& part : message.parts) {
      if (part.kind != Part::Kind::kText) return true;
    }
  }
  return false;
}

// Reads the prompt now, where its ids are to be given back as "context".
Status FixPrompt(const ApiContext& context, OllamaRequest& request, OllamaReply& reply) {
  Generation& generation = request.generation;
  if (request.raw || HasMedia(generation)) return OkStatus();
  G3N_ASSIGN_OR_RETURN(Prompt prompt, context.generator->ReadPrompt(generation));
  G3N_ASSIGN_OR_RETURN(reply.prompt,
                       Continued(context, std::move(request.context), std::move(prompt.tokens)));
  generation.tokens = reply.prompt;
  return OkStatus();
}

void Handle(const ApiContext& context, std::shared_ptr<Exchange> exchange, bool chat) {
  const auto body = ParseBody(exchange->request().body);
  if (!body.ok()) return RespondOllamaError(*exchange, 400, body.status().message());
  OllamaRequest request;
  if (const auto error = (chat ? ReadOllamaChat : ReadOllamaGenerate)(*body, context, &request)) {
    return RespondOllamaError(*exchange, IsUnknownModel(*error) ? 404 : HttpStatusOf(*error),
                              error->status.message());
  }

  OllamaReply reply;
  reply.model = request.model;
  reply.chat = chat;
  reply.stream = request.stream;
  reply.top_logprobs = request.top_logprobs;
  if (request.empty) return RespondOllamaLoaded(*exchange, reply);
  if (!chat) {
    if (const Status status = FixPrompt(context, request, reply); !status.ok()) {
      return RespondOllamaError(*exchange, HttpStatusOf(status), status.message());
    }
  }
  auto sink = MakeOllamaSink(context, exchange, std::move(reply));
  context.generator->Run(std::move(request.generation), std::move(exchange), std::move(sink));
}

void HandleChat(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  Handle(context, std::move(exchange), /*chat=*/true);
}

void HandleGenerate(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  Handle(context, std::move(exchange), /*chat=*/false);
}

}  // namespace

void RespondOllamaError(Exchange& exchange, int http_status, const std::string& message) {
  Headers headers;
  if (http_status == 429 || http_status == 503) headers.emplace_back("Retry-After", "1");
  exchange.Respond(http_status, "application/json; charset=utf-8",
                   ErrorBody(ErrorStyle::kOllama, http_status, message), std::move(headers));
}

void AddOllamaRoutes(Router& router, ApiContext context) {
  const auto shared = std::make_shared<const ApiContext>(std::move(context));
  const auto add = [&](const char* method, const char* path, auto handle) {
    router.Add(method, path, ErrorStyle::kOllama,
               [shared, handle](std::shared_ptr<Exchange> exchange) {
                 handle(*shared, std::move(exchange));
               });
  };
  add("POST", "/api/chat", HandleChat);
  add("POST", "/api/generate", HandleGenerate);
  add("GET", "/api/tags", HandleOllamaTags);
  add("POST", "/api/show", HandleOllamaShow);
  add("GET", "/api/ps", HandleOllamaPs);
  add("GET", "/api/version", HandleOllamaVersion);
}

}  // namespace gemma3n::server
