// The generation loop: prefill, then sample and decode until something ends it.
#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "gemma3n/session.h"
#include "runtime/answer.h"
#include "runtime/guard.h"
#include "runtime/prompt_lookup.h"
#include "runtime/session_impl.h"
#include "sampling/sampler.h"
#include "sampling/stop_detector.h"

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

    if (options.draft_tokens < 0 || options.draft_tokens > Impl::kMostDrafts) {
      return Error(StatusCode::kInvalidArgument, "draft_tokens: expected 0 to {}, found {}",
                   Impl::kMostDrafts, options.draft_tokens);
    }

    G3N_ASSIGN_OR_RETURN(StopDetector stop, StopDetector::Create(options.stop));
    Answer answer(*s.engine, options, std::move(stop), on_token);
    GenerationStats& stats = answer.result.stats;
    stats.prompt_tokens = static_cast<int64_t>(rows.size());
    stats.cached_tokens = s.ReusePrefix(rows);
    G3N_RETURN_IF_ERROR(s.Prefill(rows, on_prefill));
    const auto prefilled = Clock::now();
    stats.prefill_seconds = Seconds(start, prefilled);

    PromptLookup lookup(options.draft_tokens);
    for (const internal::PromptRow& row : rows) lookup.Add(row.token, row.embedding == nullptr);

    auto first_token = prefilled;
    std::vector<float> scores;
    std::vector<int32_t> draft;  // guessed tokens that ran with the last one
    int64_t row = 0;             // of s.logits, and so how many of the draft came true
    for (;;) {
      if (options.max_tokens >= 0 && stats.generated_tokens >= options.max_tokens) {
        answer.End(StopReason::kMaxTokens);
        break;
      }
      const std::span<const float> logits = s.LogitsRow(row);
      scores.assign(logits.begin(), logits.end());
      G3N_ASSIGN_OR_RETURN(const int32_t token, sampler.Sample(scores));
      if (stats.generated_tokens == 0) first_token = Clock::now();
      if (!answer.Take(token, logits)) break;
      sampler.ObserveGenerated(token);
      lookup.Add(token);
      ++stats.generated_tokens;
      if (row < std::ssize(draft) && draft[row] == token) {
        ++row;
        ++stats.accepted_tokens;
        continue;
      }
      s.Forget(std::ssize(draft) - row);
      lookup.Learn(std::ssize(draft), row);
      draft.clear();
      row = 0;
      if (stats.generated_tokens == options.max_tokens)
        continue;  // ends above, without a forward that nobody reads
      if (s.cache.length() >= s.cache.context()) {
        answer.End(StopReason::kContextFull);
        break;
      }
      const std::span<const int32_t> guess = lookup.Guess(std::min(
          s.DraftRoom(), options.max_tokens < 0 ? Impl::kMostDrafts
                                                : options.max_tokens - stats.generated_tokens - 1));
      draft.assign(guess.begin(), guess.end());
      stats.drafted_tokens += std::ssize(draft);
      G3N_RETURN_IF_ERROR(s.RunDraft(token, draft));
    }
    s.Forget(std::ssize(draft) - row);
    answer.Flush();
    stats.generated_tokens = static_cast<int64_t>(answer.result.tokens.size());
    stats.first_token_seconds = Seconds(start, first_token);
    stats.decode_seconds = Seconds(first_token, Clock::now());
    return std::move(answer.result);
  });
}

}  // namespace gemma3n
