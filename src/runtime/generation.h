// One answer in the making, between forward passes: which rows run next, what is drawn from their
// logits, what ends it. Whoever runs the passes - one session's loop, or the scheduler with many in
// a batch - does for each of them:
//
//   pass = Next(...); run pass.rows; Draw() of each wanted row's logits; Deliver(); forget wrong()
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "constraint/constraint.h"
#include "gemma3n/scheduler.h"
#include "gemma3n/session.h"
#include "runtime/answer.h"
#include "runtime/engine_impl.h"
#include "runtime/prompt_lookup.h"
#include "runtime/prompt_rows.h"
#include "sampling/sampler.h"

namespace gemma3n::internal {

class Generation {
 public:
  static constexpr int64_t kMostDrafts = 7;

  // Everything but the engine's `context` positions is checked here, so that a pass fails for no
  // caller's mistake. prompt, options and on_token must outlive it. echo: the prompt's own
  // log-probabilities are wanted. Errors: as Session::Generate's.
  static Result<std::unique_ptr<Generation>> Create(const EngineImpl& engine, const Prompt& prompt,
                                                    const GenerationOptions& options,
                                                    const Session::OnToken& on_token,
                                                    int64_t context, bool echo = false);

  std::span<const PromptRow> prompt() const { return rows_; }
  bool echo() const { return echo_; }

  // The cache holds the first `cached` rows of the prompt.
  void Begin(int64_t cached);

  bool done() const { return done_; }
  // Whether a cache of `length` positions has not all of the prompt.
  bool InPrompt(int64_t length) const { return length < std::ssize(rows_); }

  struct Pass {
    std::span<const PromptRow> rows;  // valid until Deliver
    int64_t first_wanted = 0;         // this one's logits are wanted, and all after it
    int64_t wanted() const { return std::ssize(rows) - first_wanted; }
  };
  // What runs after `length` positions: at most most_rows of the prompt, or the last token with at
  // most most_drafts guesses, all of them within the context.
  Pass Next(int64_t length, int64_t most_rows, int64_t most_drafts);

  // How many of the largest logits decide what is drawn; 0: all, or all are reported.
  int64_t top() const;

  // The logits [V] of the pass's wanted rows, in order; they are changed. The rows of different
  // generations may be drawn from at once.
  void Draw(std::span<float> logits);
  // In a pass that lies in the prompt: of its wanted row i, where more of the prompt follows. Rows
  // may be looked at in any order and at once.
  bool FollowedByPrompt(int64_t i) const { return echo_from_ + i + 1 < std::ssize(rows_); }
  void Echo(int64_t i, std::span<const float> logits);

  // Hands out what was drawn; done() afterwards when that ended the answer. Errors: the sampler's.
  Status Deliver(int64_t length);
  // Rows of the pass, its last ones, that were guessed wrong: to be taken out of the cache.
  int64_t wrong() const { return wrong_; }

  int64_t generated() const { return std::ssize(answer_.result.tokens); }

  // Ends it from outside.
  void Cancel();
  // What there is, once.
  GenerationResult Finish();
  std::vector<PromptToken> TakeEcho() { return std::move(echoed_); }

 private:
  using Clock = std::chrono::steady_clock;

  Generation(const EngineImpl& engine, const GenerationOptions& options, Sampler sampler,
             StopDetector stop, const Session::OnToken& on_token)
      : options_(options),
        sampler_(std::move(sampler)),
        answer_(engine, options, std::move(stop), on_token),
        lookup_(options.draft_tokens) {}

  bool Full(int64_t tokens) const {
    return options_.max_tokens >= 0 && tokens >= options_.max_tokens;
  }
  // Draws from logits, which are changed unless `keep`.
  Result<int32_t> Choose(std::span<float> logits, bool keep);
  void End(StopReason reason);

  const GenerationOptions& options_;
  Sampler sampler_;
  std::optional<ConstraintState> constraint_;  // what has been drawn, in options.json_schema
  Answer answer_;
  PromptLookup lookup_;
  std::vector<PromptRow> rows_;  // of the prompt
  int64_t context_ = 0;
  bool echo_ = false, done_ = false;
  std::vector<PromptToken> echoed_;

  PromptRow run_[1 + kMostDrafts];  // the last token, and guesses after it
  int64_t drafts_ = 0, wrong_ = 0;
  int64_t echo_from_ = 0;      // the prompt's row that is the pass's first wanted one
  bool drawing_ = false;       // the next wanted row follows what has been drawn
  std::vector<Drawn> drawn_;   // in this pass
  std::vector<float> scores_;  // scratch: logits that the sampler may change
  Status status_;              // of drawing
  Clock::time_point start_ = Clock::now(), begun_ = start_, first_ = start_;
  std::optional<Clock::time_point> prefilled_;
};

}  // namespace gemma3n::internal
