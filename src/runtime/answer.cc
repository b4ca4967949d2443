#include "runtime/answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "sampling/sampler.h"

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

bool Answer::Take(int32_t token, std::span<const float> raw_logits) {
  if (const auto reason = EndOf(token)) return End(*reason);
  std::vector<TokenLogprob> top;
  TokenEvent event;
  event.token = token;
  if (options_.top_logprobs >= 0) {
    event.logprob = LogProbability(raw_logits, token);
    top = TopLogprobs(raw_logits, options_.top_logprobs);
    event.top = top;
    result.logprobs.push_back({token, event.logprob});
  }
  result.tokens.push_back(token);
  std::string text;
  const bool stopped = stop_.Push(decoder_ ? decoder_->Push(token) : "", text);
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
