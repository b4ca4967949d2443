// /v1/models: the served model, and the published size that it nests.
#include "server/api/anthropic.h"
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
          {"max_model_len", context.tokens},
          {"sees", info.sees},
          {"hears", info.hears}};
}

}  // namespace

void HandleModels(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  std::vector<std::string> names = {context.model_name};
  if (context.engine->NamedSize("e2b").ok()) names.push_back(context.model_name + ":e2b");
  if (IsAnthropicRequest(exchange->request())) {
    return RespondAnthropicModels(context, *exchange, names);
  }
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(ModelJson(context, name));
  RespondJson(*exchange, {{"object", "list"}, {"data", std::move(list)}});
}

void HandleModel(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  const std::string name = exchange->request().path.substr(std::string("/v1/models/").size());
  if (IsAnthropicRequest(exchange->request())) {
    return RespondAnthropicModel(context, *exchange, name);
  }
  if (const auto size = SizeOfModel(context, name); !size.ok()) {
    return RespondOpenAiError(*exchange, 404, size.status().message(), "model", "model_not_found");
  }
  RespondJson(*exchange, ModelJson(context, name));
}

}  // namespace gemma3n::server
