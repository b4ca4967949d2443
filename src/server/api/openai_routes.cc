#include <memory>
#include <string_view>
#include <utility>

#include "server/api/openai.h"

namespace gemma3n::server {

void AddOpenAiRoutes(Router& router, ApiContext context) {
  const auto shared = std::make_shared<const ApiContext>(std::move(context));
  const auto add = [&](const char* method, const char* path, auto handle) {
    const bool quick = std::string_view(method) != "POST";  // the others compute nothing
    router.Add(method, path, ErrorStyle::kOpenAi,
               [shared, handle](std::shared_ptr<Exchange> exchange) {
                 handle(*shared, std::move(exchange));
               },
               {.quick = quick});
  };
  add("POST", "/v1/chat/completions", HandleChatCompletion);
  add("POST", "/v1/completions", HandleCompletion);
  add("POST", "/tokenize", HandleTokenize);
  add("POST", "/detokenize", HandleDetokenize);
  add("GET", "/tokenizer_info", HandleTokenizerInfo);
  const auto store = std::make_shared<ResponseStore>();
  add("POST", "/v1/responses", [store](const ApiContext& api, std::shared_ptr<Exchange> exchange) {
    HandleResponse(api, store, std::move(exchange));
  });
  add("GET", "/v1/responses/*",
      [store](const ApiContext&, const std::shared_ptr<Exchange>& exchange) {
        HandleStoredResponse(store, exchange);
      });
  add("DELETE", "/v1/responses/*",
      [store](const ApiContext&, const std::shared_ptr<Exchange>& exchange) {
        HandleDeletedResponse(store, exchange);
      });
  add("GET", "/v1/models", HandleModels);
  add("GET", "/v1/models/*", HandleModel);
}

}  // namespace gemma3n::server
