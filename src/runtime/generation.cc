// The generation loop, turned inside out: it owns no cache and runs no pass itself.
#include "runtime/generation.h"

#include <algorithm>
#include <random>
#include <utility>

#include "sampling/stop_detector.h"

namespace gemma3n::internal {
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

Result<std::unique_ptr<Generation>> Generation::Create(const EngineImpl& engine,
                                                       const Prompt& prompt,
                                                       const GenerationOptions& options,
                                                       const Session::OnToken& on_token,
                                                       int64_t context, bool echo) {
  G3N_ASSIGN_OR_RETURN(std::vector<PromptRow> rows, PromptRows(prompt, engine, context));
  G3N_ASSIGN_OR_RETURN(Sampler sampler,
                       Sampler::Create(Resolve(options, engine.config().generation),
                                       engine.config().text.vocab_size));
  sampler.ObservePrompt(prompt.tokens);
  if (options.draft_tokens < 0 || options.draft_tokens > kMostDrafts) {
    return Error(StatusCode::kInvalidArgument, "draft_tokens: expected 0 to {}, found {}",
                 kMostDrafts, options.draft_tokens);
  }
  G3N_ASSIGN_OR_RETURN(StopDetector stop, StopDetector::Create(options.stop));
  std::unique_ptr<Generation> g(
      new Generation(engine, options, std::move(sampler), std::move(stop), on_token));
  if (options.json_schema) {
    auto constraint =
        engine.constraints.Get(*options.json_schema, engine.tokenizer, engine.config());
    // A schema that is too large is the caller's to mend: nothing here has run out.
    if (constraint.status().code() == StatusCode::kResourceExhausted) {
      return Status(StatusCode::kInvalidArgument, constraint.status().message());
    }
    if (!constraint.ok()) return constraint.status();
    g->constraint_.emplace(*std::move(constraint));
  }
  for (const PromptRow& row : rows) g->lookup_.Add(row.token, row.embedding == nullptr);
  g->rows_ = std::move(rows);
  g->context_ = context;
  g->echo_ = echo;
  g->answer_.result.stats.prompt_tokens = std::ssize(g->rows_);
  if (echo) {
    for (const PromptRow& row : g->rows_) g->echoed_.push_back({row.token, 0, {}});
  }
  return g;
}

void Generation::Begin(int64_t cached) {
  answer_.result.stats.cached_tokens = cached;
  begun_ = Clock::now();
}

Generation::Pass Generation::Next(int64_t length, int64_t most_rows, int64_t most_drafts) {
  drawn_.clear();
  drawing_ = true;
  wrong_ = drafts_ = 0;
  if (InPrompt(length)) {
    const int64_t count = std::min(most_rows, std::ssize(rows_) - length);
    const bool last = !InPrompt(length + count);
    echo_from_ = echo_ ? length : length + count - 1;
    return {std::span(rows_).subspan(static_cast<size_t>(length), static_cast<size_t>(count)),
            echo_ ? 0 : count - (last ? 1 : 0)};
  }
  GenerationStats& stats = answer_.result.stats;
  echo_from_ = length;
  int64_t room = std::min({kMostDrafts, most_drafts, context_ - length - 1});
  if (options_.max_tokens >= 0) {
    room = std::min(room, options_.max_tokens - stats.generated_tokens - 1);
  }
  for (const int32_t guess : lookup_.Guess(room)) {
    run_[1 + drafts_++] = {guess, nullptr, static_cast<uint64_t>(guess)};
  }
  stats.drafted_tokens += drafts_;
  return {{run_, static_cast<size_t>(1 + drafts_)}, 0};
}

int64_t Generation::top() const {
  if (echo_ || constraint_ || options_.top_logprobs >= 0) return 0;
  return sampler_.top();
}

void Generation::Echo(int64_t i, std::span<const float> logits) {
  PromptToken& next = echoed_[static_cast<size_t>(echo_from_ + i + 1)];
  next.logprob = LogProbability(logits, next.token);
  if (options_.top_logprobs > 0) next.top = TopLogprobs(logits, options_.top_logprobs);
}

Result<int32_t> Generation::Choose(std::span<float> logits, bool keep) {
  const bool greedy = constraint_ && sampler_.greedy();
  std::span<float> scores = logits;
  if (keep || greedy) {
    scores_.assign(logits.begin(), logits.end());
    scores = scores_;
  }
  if (greedy) {  // the most probable token of all is that of the allowed ones if it is one
    const Result<int32_t> token = sampler_.Sample(scores);
    if (!token.ok() || constraint_->Allows(*token)) return token;
    scores_.assign(logits.begin(), logits.end());
  }
  if (constraint_) constraint_->Mask(scores);
  return sampler_.Sample(scores);
}

void Generation::Draw(std::span<float> logits) {
  const int64_t generated = answer_.result.stats.generated_tokens, row = std::ssize(drawn_);
  if (!prefilled_) prefilled_ = first_ = Clock::now();
  if (!drawing_ || Full(generated + row)) return;
  drawing_ = false;
  const bool keep = options_.top_logprobs >= 0;  // which are the raw logits'
  const Result<int32_t> token = Choose(logits, keep);
  if (!token.ok()) {
    status_ = token.status();
    return;
  }
  if (generated + row == 0) first_ = Clock::now();
  Drawn drawn{.token = *token, .logprob = 0, .top = {}};
  if (keep) {
    drawn.logprob = LogProbability(logits, *token);
    drawn.top = TopLogprobs(logits, options_.top_logprobs);
  }
  drawn_.push_back(std::move(drawn));
  sampler_.ObserveGenerated(*token);
  drawing_ = row < drafts_ && run_[1 + row].token == *token && !answer_.EndOf(*token);
  if (!constraint_) return;
  constraint_->Accept(*token);
  drawing_ = drawing_ && !constraint_->Final();
}

Status Generation::Deliver(int64_t length) {
  if (InPrompt(length)) return OkStatus();  // more of it follows
  GenerationStats& stats = answer_.result.stats;
  int64_t right = 0;
  bool goes_on = true;
  for (const Drawn& drawn : drawn_) {
    goes_on = answer_.Take(drawn);
    if (!goes_on) break;
    lookup_.Add(drawn.token);
    ++stats.generated_tokens;
    if (right < drafts_ && run_[1 + right].token == drawn.token) {
      ++right;
      ++stats.accepted_tokens;
    }
  }
  wrong_ = drafts_ - right;
  if (!goes_on) {
    done_ = true;
    return OkStatus();
  }
  G3N_RETURN_IF_ERROR(status_);
  if (constraint_ && constraint_->Final()) {
    End(StopReason::kEndToken);  // which is all that may follow
    return OkStatus();
  }
  if (Full(stats.generated_tokens)) {
    End(StopReason::kMaxTokens);
    return OkStatus();
  }
  lookup_.Learn(drafts_, right);
  if (length - wrong_ >= context_) {
    End(StopReason::kContextFull);
    return OkStatus();
  }
  if (drawn_.empty()) return Error(StatusCode::kInternal, "a pass of the decoder gave no logits");
  const int32_t token = drawn_.back().token;
  run_[0] = {token, nullptr, static_cast<uint64_t>(token)};
  return OkStatus();
}

void Generation::End(StopReason reason) {
  answer_.End(reason);
  done_ = true;
}

void Generation::Cancel() { End(StopReason::kCancelled); }

GenerationResult Generation::Finish() {
  answer_.Flush();
  GenerationStats& stats = answer_.result.stats;
  stats.generated_tokens = std::ssize(answer_.result.tokens);
  if (prefilled_) {
    stats.prefill_seconds = Seconds(begun_, *prefilled_);
    stats.first_token_seconds = Seconds(start_, first_);
    stats.decode_seconds = Seconds(first_, Clock::now());
  }
  return std::move(answer_.result);
}

}  // namespace gemma3n::internal
