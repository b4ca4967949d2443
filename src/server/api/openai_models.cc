// /v1/models: the served model, and the published size that it nests.
#include "formats/json.h"
#include "server/api/openai.h"
#include "server/api/openai_error.h"
#include "server/api/request_json.h"

namespace gemma3n::server {
namespace {

Json ModelJson(const ApiContext& context, const std::string& name) {
  const ModelInfo& info = context.engine->info();
  return {{"id", name},
          {"object", "model"},
          {"created", context.created},
          {"owned_by", "gemma3n"},
          {"max_model_len", info.context},
          {"sees", info.sees},
          {"hears", info.hears}};
}

void Respond(Exchange& exchange, const Json& body) {
  exchange.Respond(200, "application/json", DumpOrderedJson(body));
}

}  // namespace

void HandleModels(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  Json list = Json::array({ModelJson(context, context.model_name)});
  if (context.engine->NamedSize("e2b").ok()) {
    list.push_back(ModelJson(context, context.model_name + ":e2b"));
  }
  Respond(*exchange, {{"object", "list"}, {"data", std::move(list)}});
}

void HandleModel(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  const std::string name = exchange->request().path.substr(std::string("/v1/models/").size());
  if (const auto size = SizeOfModel(context, name); !size.ok()) {
    return RespondOpenAiError(*exchange, 404, size.status().message(), "model", "model_not_found");
  }
  Respond(*exchange, ModelJson(context, name));
}

}  // namespace gemma3n::server
