#include "server/api/audio.h"

#include <memory>
#include <utility>

#include "server/api/multipart.h"
#include "server/api/openai_error.h"
#include "server/api/transcription_run.h"
#include "server/http/worker_pool.h"

namespace gemma3n::server {
namespace {

// A long sound takes minutes: such requests have threads of their own, so that others find one.
constexpr int kAtOnce = 4;
constexpr size_t kMostWaiting = 64;

void Handle(const ApiContext& context, WorkerPool& pool, std::shared_ptr<Exchange> exchange,
            bool translate) {
  const HttpRequest& http = exchange->request();
  const auto fields = ParseMultipart(http.Header("content-type"), http.body);
  if (!fields.ok()) return RespondOpenAiError(*exchange, 400, fields.status().message());
  AudioRequest request;
  if (const auto error = ReadAudioRequest(*fields, translate, &request)) {
    return RespondOpenAiError(*exchange, *error);
  }
  const auto size = SizeOfModel(context, request.model);
  if (!size.ok()) {
    const bool unknown = size.status().code() == StatusCode::kNotFound;
    return RespondOpenAiError(*exchange, unknown ? 404 : 400, size.status().message(), "model",
                              unknown ? "model_not_found" : "");
  }
  const auto run = std::make_shared<TranscriptionRun>(context, exchange, std::move(request), *size);
  if (pool.TryPost([run] { run->Run(); })) return;
  RespondOpenAiError(*exchange, 429, "too many sounds wait to be transcribed", "",
                     "rate_limit_exceeded");
}

}  // namespace

void AddAudioRoutes(Router& router, ApiContext context) {
  const auto shared = std::make_shared<const ApiContext>(std::move(context));
  const auto pool = std::make_shared<WorkerPool>(kAtOnce, kMostWaiting);
  const auto add = [&](const char* path, bool translate) {
    router.Add("POST", path, ErrorStyle::kOpenAi,
               [shared, pool, translate](std::shared_ptr<Exchange> exchange) {
                 Handle(*shared, *pool, std::move(exchange), translate);
               });
  };
  add("/v1/audio/transcriptions", false);
  add("/v1/audio/translations", true);
}

}  // namespace gemma3n::server
