// /v1/responses: one answer to a conversation that the server may remember.
#include <algorithm>
#include <memory>
#include <utility>

#include "server/api/openai.h"
#include "server/api/openai_error.h"
#include "server/api/openai_options.h"
#include "server/api/openai_responses_input.h"
#include "server/api/openai_responses_sink.h"
#include "server/api/openai_tools.h"

namespace gemma3n::server {
namespace {

// What a response repeats of its request, with the defaults filled in.
Json Echoed(const Json& body, const Generation& g) {
  const auto given = [&](const char* key, Json otherwise) {
    const auto found = body.find(key);
    return found == body.end() || found->is_null() ? std::move(otherwise) : *found;
  };
  return {{"instructions", given("instructions", nullptr)},
          {"max_output_tokens", given("max_output_tokens", nullptr)},
          {"metadata", given("metadata", Json::object())},
          {"parallel_tool_calls", g.tool_choice.parallel},
          {"previous_response_id", given("previous_response_id", nullptr)},
          {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
          {"store", given("store", true)},
          {"temperature", given("temperature", 1.0)},
          {"text", given("text", {{"format", {{"type", "text"}}}})},
          {"tool_choice", given("tool_choice", "auto")},
          {"tools", given("tools", Json::array())},
          {"top_p", given("top_p", 1.0)},
          {"truncation", "disabled"},
          {"user", given("user", nullptr)}};
}

void ReadLogprobs(const Fields& fields, OpenAiReply* reply) {
  std::vector<std::string> include;
  fields.Strings("include", 100, &include);
  reply->logprobs =
      std::find(include.begin(), include.end(), "message.output_text.logprobs") != include.end();
  fields.Integer("top_logprobs", 0, 20, &reply->top_logprobs);
  reply->logprobs = reply->logprobs || reply->top_logprobs > 0;
}

void ReadOptions(const Fields& fields, Generation* generation, OpenAiReply* reply) {
  GenerationOptions& options = generation->options;
  fields.Integer("max_output_tokens", 1, kMostMaxTokens, &options.max_tokens);
  ReadSampling(fields, generation);
  if (generation->n != 1) fields.Unexpected("n", "1");
  ReadReply(fields, reply);
  ReadLogprobs(fields, reply);
  AskLogprobs(*reply, &options);
  ReadResponseFormat(fields.Object("text").Object("format"), /*flat=*/true, &options);
  ReadOpenAiTools(fields, /*flat=*/true, generation);
  bool background = false;
  fields.Bool("background", &background);
  if (background) fields.Unexpected("background", "false: answers are made while one waits");
  for (const char* key : {"conversation", "prompt"}) {
    if (fields.Has(key)) fields.Unexpected(key, "nothing: previous_response_id goes on instead");
  }
}

void RespondUnknown(Exchange& exchange, const std::string& id, const char* param) {
  RespondOpenAiError(exchange, 404,
                     fmt::format("response \"{}\" is not kept here, or no longer", id), param,
                     "response_not_found");
}

std::string IdInPath(const Exchange& exchange) {
  return exchange.request().path.substr(std::string_view("/v1/responses/").size());
}

}  // namespace

void HandleResponse(const ApiContext& context, const std::shared_ptr<ResponseStore>& store,
                    std::shared_ptr<Exchange> exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  Generation generation;
  OpenAiReply reply;
  ResponsesForm form;
  ReadModel(context, fields, &generation, &reply);
  ReadOptions(fields, &generation, &reply);
  std::string previous, instructions;
  fields.String("previous_response_id", &previous);
  if (!previous.empty()) {
    const auto kept = store->Get(previous);
    if (!kept) return RespondUnknown(*exchange, previous, "previous_response_id");
    form.conversation.messages = kept->messages;
    form.conversation.call_names = kept->call_names;
  }
  ReadResponsesInput(fields, *context.media, &form.conversation);
  fields.String("instructions", &instructions);
  bool keep = true;
  fields.Bool("store", &keep);
  if (body.error()) return RespondOpenAiError(*exchange, *body.error());
  if (keep) form.store = store;
  form.echoed = Echoed(body.json(), generation);
  generation.messages = form.conversation.messages;
  if (!instructions.empty()) {  // this response's own: they are not remembered
    generation.messages.insert(generation.messages.begin(), Message::Text("system", instructions));
  }
  auto sink = std::make_shared<ResponsesSink>(context, exchange, reply, std::move(form));
  context.generator->Run(std::move(generation), std::move(exchange), std::move(sink));
}

void HandleStoredResponse(const std::shared_ptr<ResponseStore>& store,
                          const std::shared_ptr<Exchange>& exchange) {
  const std::string id = IdInPath(*exchange);
  const auto kept = store->Get(id);
  if (!kept) return RespondUnknown(*exchange, id, "response_id");
  RespondJson(*exchange, kept->response);
}

void HandleDeletedResponse(const std::shared_ptr<ResponseStore>& store,
                           const std::shared_ptr<Exchange>& exchange) {
  const std::string id = IdInPath(*exchange);
  if (!store->Remove(id)) return RespondUnknown(*exchange, id, "response_id");
  RespondJson(*exchange, {{"id", id}, {"object", "response.deleted"}, {"deleted", true}});
}

}  // namespace gemma3n::server
