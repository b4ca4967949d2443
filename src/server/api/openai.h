// OpenAI's APIs: /v1/chat/completions, /v1/completions, /v1/responses, /v1/models; and vLLM's
// /tokenize, /detokenize and /tokenizer_info beside them.
#pragma once

#include <memory>

#include "server/api/context.h"
#include "server/api/response_store.h"
#include "server/http/router.h"

namespace gemma3n::server {

void AddOpenAiRoutes(Router& router, ApiContext context);

// One of the handlers each; AddOpenAiRoutes adds them all.
void HandleChatCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleResponse(const ApiContext& context, const std::shared_ptr<ResponseStore>& store,
                    std::shared_ptr<Exchange> exchange);
void HandleStoredResponse(const std::shared_ptr<ResponseStore>& store,
                          const std::shared_ptr<Exchange>& exchange);
void HandleDeletedResponse(const std::shared_ptr<ResponseStore>& store,
                           const std::shared_ptr<Exchange>& exchange);
void HandleTokenize(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleDetokenize(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleTokenizerInfo(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleModels(const ApiContext& context, std::shared_ptr<Exchange> exchange);
void HandleModel(const ApiContext& context, std::shared_ptr<Exchange> exchange);

}  // namespace gemma3n::server
