// The generation loop: prefill, then sample and decode until something ends it.
#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <utility>

#include "gemma3n/session.h"
#include "runtime/guard.h"
#include "runtime/session_impl.h"
#include "sampling/sampler.h"
#include "sampling/stop_detector.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

uint64_t EntropySeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// The caller's choices over the checkpoint's own defaults over Gemma 3n's.
SamplingParams Resolve(const GenerationOptions& options, const GenerationDefaults& defaults) {
  const bool greedy_by_default = defaults.do_sample.has_value() && !*defaults.do_sample;
  SamplingParams p;
  p.temperature =
      options.temperature.value_or(greedy_by_default ? 0.0f : defaults.temperature.value_or(1.0f));
  p.top_k = options.top_k.value_or(defaults.top_k.value_or(64));
  p.top_p = options.top_p.value_or(defaults.top_p.value_or(0.95f));
  p.min_p = options.min_p;
  p.repetition_penalty = options.repetition_penalty;
  p.presence_penalty = options.presence_penalty;
  p.frequency_penalty = options.frequency_penalty;
  p.logit_bias.assign(options.logit_bias.begin(), options.logit_bias.end());
  p.seed = options.seed ? *options.seed : EntropySeed();
  return p;
}

// One answer in the making: text so far, what is held back, why it ended.
class Answer {
 public:
  Answer(const internal::EngineImpl& engine, const GenerationOptions& options, StopDetector stop,
         const Session::OnToken& on_token)
      : engine_(engine),
        options_(options),
        on_token_(on_token),
        decoder_(MakeDecoder(engine)),
        stop_(std::move(stop)) {}

  // Takes the next token with the raw logits that it was drawn from. Returns false when the answer
  // has ended.
  bool Take(int32_t token, std::span<const float> raw_logits) {
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

  // Hands out text that was held back: an incomplete character, the beginning of a stop string that
  // never came.
  void Flush() {
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

  bool End(StopReason reason) {
    result.reason = reason;
    return false;
  }

  GenerationResult result;

 private:
  static std::optional<StreamingDecoder> MakeDecoder(const internal::EngineImpl& engine) {
    if (!engine.tokenizer.ok()) return std::nullopt;
    return StreamingDecoder(*engine.tokenizer);
  }

  std::optional<StopReason> EndOf(int32_t token) const {
    const auto& own = engine_.config().end_tokens;
    if (!options_.ignore_end_tokens && std::find(own.begin(), own.end(), token) != own.end()) {
      return StopReason::kEndToken;
    }
    const auto& extra = options_.stop_tokens;
    if (std::find(extra.begin(), extra.end(), token) != extra.end()) return StopReason::kStopToken;
    return std::nullopt;
  }

  const internal::EngineImpl& engine_;
  const GenerationOptions& options_;
  const Session::OnToken& on_token_;
  std::optional<StreamingDecoder> decoder_;  // none without a tokenizer: the answer is ids alone
  StopDetector stop_;
};

}  // namespace

const char* StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end";
    case StopReason::kStopString:
      return "stop string";
    case StopReason::kStopToken:
      return "stop token";
    case StopReason::kMaxTokens:
      return "max tokens";
    case StopReason::kContextFull:
      return "context full";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Result<GenerationResult> Session::Generate(const Prompt& prompt, const GenerationOptions& options,
                                           const OnToken& on_token, const OnPrefill& on_prefill) {
  return Guard([&]() -> Result<GenerationResult> {
    Impl& s = *impl_;
    const auto start = Clock::now();
    const int64_t vocab = s.decoder.config().vocab_size;
    G3N_ASSIGN_OR_RETURN(const auto rows,
                         internal::PromptRows(prompt, *s.engine, s.cache.context()));
    G3N_ASSIGN_OR_RETURN(Sampler sampler,
                         Sampler::Create(Resolve(options, s.engine->config().generation), vocab));
    sampler.ObservePrompt(prompt.tokens);

    G3N_ASSIGN_OR_RETURN(StopDetector stop, StopDetector::Create(options.stop));
    Answer answer(*s.engine, options, std::move(stop), on_token);
    GenerationStats& stats = answer.result.stats;
    stats.prompt_tokens = static_cast<int64_t>(rows.size());
    stats.cached_tokens = s.ReusePrefix(rows);
    G3N_RETURN_IF_ERROR(s.Prefill(rows, on_prefill));
    const auto prefilled = Clock::now();
    stats.prefill_seconds = Seconds(start, prefilled);

    auto first_token = prefilled;
    std::vector<float> scores;
    for (;;) {
      if (options.max_tokens >= 0 && stats.generated_tokens >= options.max_tokens) {
        answer.End(StopReason::kMaxTokens);
        break;
      }
      scores.assign(s.logits.begin(), s.logits.end());
      G3N_ASSIGN_OR_RETURN(const int32_t token, sampler.Sample(scores));
      if (stats.generated_tokens == 0) first_token = Clock::now();
      if (!answer.Take(token, s.logits)) break;
      sampler.ObserveGenerated(token);
      ++stats.generated_tokens;
      if (stats.generated_tokens == options.max_tokens)
        continue;  // ends above, without a forward that nobody reads
      if (s.cache.length() >= s.cache.context()) {
        answer.End(StopReason::kContextFull);
        break;
      }
      const internal::PromptRow row = {token, nullptr, static_cast<uint64_t>(token)};
      G3N_RETURN_IF_ERROR(s.RunAndKeep({&row, 1}, Impl::Want::kLast));
    }
    answer.Flush();
    stats.generated_tokens = static_cast<int64_t>(answer.result.tokens.size());
    stats.first_token_seconds = Seconds(start, first_token);
    stats.decode_seconds = Seconds(first_token, Clock::now());
    return std::move(answer.result);
  });
}

}  // namespace gemma3n
