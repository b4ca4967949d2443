#include <utility>

#include "formats/json.h"
#include "server/api/anthropic.h"
#include "server/api/anthropic_answer.h"
#include "server/api/request_json.h"
#include "server/api/utc_time.h"

namespace gemma3n::server {
namespace {

Json ModelJson(const ApiContext& context, const std::string& name) {
  return {{"type", "model"},
          {"id", name},
          {"display_name", name},
          {"created_at", UtcTime(context.created)}};
}

}  // namespace

bool IsAnthropicRequest(const HttpRequest& request) {
  return !request.Header("anthropic-version").empty();
}

void RespondAnthropicModels(const ApiContext& context, Exchange& exchange,
                            const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(ModelJson(context, name));
  exchange.Respond(200, "application/json",
                   DumpOrderedJson({{"data", std::move(list)},
                                    {"has_more", false},
                                    {"first_id", names.front()},
                                    {"last_id", names.back()}}));
}

void RespondAnthropicModel(const ApiContext& context, Exchange& exchange, const std::string& name) {
  if (const auto size = SizeOfModel(context, name); !size.ok()) {
    return RespondAnthropicError(exchange, 404, size.status().message());
  }
  exchange.Respond(200, "application/json", DumpOrderedJson(ModelJson(context, name)));
}

}  // namespace gemma3n::server
