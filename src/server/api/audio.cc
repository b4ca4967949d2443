#include "server/api/audio.h"

#include <memory>
#include <utility>

#include "server/api/multipart.h"
#include "server/api/openai_error.h"

namespace gemma3n::server {
namespace {

void Handle(const ApiContext& context, TranscriptionPool& pool, std::shared_ptr<Exchange> exchange,
            bool translate) {
  const HttpRequest& http = exchange->request();
  const auto fields = ParseMultipart(http.Header("content-type"), http.body);
  if (!fields.ok()) return RespondOpenAiError(*exchange, 400, fields.status().message());
  AudioRequest request;
  if (const auto error = ReadAudioRequest(*fields, translate, &request)) {
    return RespondOpenAiError(*exchange, *error);
  }
  const auto size = SizeOfModel(context, request.model);
  if (!size.ok()) return RespondOpenAiError(*exchange, RequestError{"model", size.status()});
  auto run = std::make_shared<TranscriptionRun>(context, exchange, std::move(request), *size);
  if (pool.TryStart(std::move(run))) return;
  RespondOpenAiError(*exchange, 429, "too many sounds wait to be transcribed", "",
                     "rate_limit_exceeded");
}

}  // namespace

void AddAudioRoutes(Router& router, ApiContext context, TranscriptionPool& pool) {
  const auto shared = std::make_shared<const ApiContext>(std::move(context));
  const auto add = [&](const char* path, bool translate) {
    router.Add("POST", path, ErrorStyle::kOpenAi,
               [shared, &pool, translate](std::shared_ptr<Exchange> exchange) {
                 Handle(*shared, pool, std::move(exchange), translate);
               });
  };
  add("/v1/audio/transcriptions", false);
  add("/v1/audio/translations", true);
}

}  // namespace gemma3n::server
