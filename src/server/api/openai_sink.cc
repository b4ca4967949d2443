#include "server/api/openai_sink.h"

#include <ctime>
#include <utility>

#include "formats/json.h"
#include "gemma3n/version.h"
#include "server/api/event_stream.h"
#include "server/api/openai_error.h"
#include "server/api/random_id.h"

namespace gemma3n::server {

OpenAiSink::OpenAiSink(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                       OpenAiReply reply, const char* id_prefix)
    : context_(context),
      exchange_(std::move(exchange)),
      reply_(std::move(reply)),
      id_(RandomId(id_prefix)),
      created_(std::time(nullptr)) {}

void OpenAiSink::OnError(int http_status, const Status& status) {
  const std::string_view code = OpenAiErrorCode(http_status, status);
  if (!streaming_) {
    return RespondOpenAiError(*exchange_, http_status, status.message(), {}, code);
  }
  Send(OpenAiError(http_status, status.message(), {}, code));
  exchange_->Finish();
}

Json OpenAiSink::Head(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", reply_.model},
          {"system_fingerprint", SystemFingerprint(context_)}};
}

Json OpenAiSink::UsageJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", 0}, {"audio_tokens", 0}}}};
}

const char* OpenAiSink::FinishReason(const AnswerEnd& end) {
  if (!end.tool_calls.empty()) return "tool_calls";
  const bool cut = end.reason == StopReason::kMaxTokens || end.reason == StopReason::kContextFull;
  return cut ? "length" : "stop";
}

void OpenAiSink::BeginStream() {
  streaming_ = true;
  BeginPieces(*exchange_, "text/event-stream");
}

void OpenAiSink::Send(const Json& event) {
  exchange_->Write("data: " + DumpOrderedJson(event) + "\n\n");
}

void OpenAiSink::EndStream() {
  exchange_->Write("data: [DONE]\n\n");
  exchange_->Finish();
}

std::string SystemFingerprint(const ApiContext& context) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  const ModelInfo& info = context.engine->info();
  for (const std::string& text :
       {context.model_name, info.path, info.kernels, std::string(GEMMA3N_VERSION)}) {
    for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  }
  return fmt::format("fp_{:010x}", hash >> 24);
}

}  // namespace gemma3n::server
