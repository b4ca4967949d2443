#include "runtime/answer.h"

#include <algorithm>
#include <utility>

namespace gemma3n {
namespace {

std::optional<StreamingDecoder> MakeDecoder(const internal::EngineImpl& engine) {
  if (!engine.tokenizer.ok()) return std::nullopt;
  return StreamingDecoder(*engine.tokenizer);
}

}  // namespace

Answer::Answer(const internal::EngineImpl& engine, const GenerationOptions& options,
               StopDetector stop, const Session::OnToken& on_token)
    : engine_(engine),
      options_(options),
      on_token_(on_token),
      decoder_(MakeDecoder(engine)),
      stop_(std::move(stop)) {}

bool Answer::Take(const Drawn& drawn) {
  if (const auto reason = EndOf(drawn.token)) return End(*reason);
  TokenEvent event;
  event.token = drawn.token;
  event.logprob = drawn.logprob;
  event.top = drawn.top;
  if (options_.top_logprobs >= 0) result.logprobs.push_back({drawn.token, drawn.logprob});
  result.tokens.push_back(drawn.token);
  std::string text;
  const bool stopped = stop_.Push(decoder_ ? decoder_->Push(drawn.token) : "", text);
  result.text += text;
  event.text = text;
  if (on_token_ && !on_token_(event)) return End(StopReason::kCancelled);
  return stopped ? End(StopReason::kStopString) : true;
}

void Answer::Flush() {
  if (stop_.stopped()) return;
  std::string rest;
  if (stop_.Push(decoder_ ? decoder_->Finish() : "", rest)) {
    result.reason = StopReason::kStopString;
  } else {
    stop_.Finish(rest);
  }
  if (rest.empty()) return;
  result.text += rest;
  if (!on_token_ || result.reason == StopReason::kCancelled) return;
  TokenEvent event;
  event.token = result.tokens.empty() ? -1 : result.tokens.back();
  event.text = rest;
  on_token_(event);
}

std::optional<StopReason> Answer::EndOf(int32_t token) const {
  const auto& own = engine_.config().end_tokens;
  if (!options_.ignore_end_tokens && std::find(own.begin(), own.end(), token) != own.end()) {
    return StopReason::kEndToken;
  }
  const auto& extra = options_.stop_tokens;
  if (std::find(extra.begin(), extra.end(), token) != extra.end()) return StopReason::kStopToken;
  return std::nullopt;
}

}  // namespace gemma3n
