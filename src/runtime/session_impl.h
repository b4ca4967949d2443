// A session's state and the loop that runs it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "gemma3n/session.h"
#include "model/text/decoder.h"
#include "model/text/kv_cache.h"
#include "runtime/engine_impl.h"
#include "runtime/prompt_rows.h"
#include "sampling/sampler.h"

namespace gemma3n {

struct Session::Impl {
  static Result<std::unique_ptr<Impl>> Create(std::shared_ptr<internal::EngineImpl> engine,
                                              const SessionOptions& options);

  Impl(std::shared_ptr<internal::EngineImpl> e, Decoder d, KvCache c)
      : engine(std::move(e)), decoder(std::move(d)), cache(std::move(c)) {}

  using Rows = std::span<const internal::PromptRow>;

  // Keeps the longest usable common prefix of the cache and the prompt; returns its length (less
  // than prompt.size()).
  int64_t ReusePrefix(Rows prompt);

  // Runs rows that follow the cache; the last one's logits (or everyone's) go to on_logits.
  // rows: at most prefill_chunk.
  enum class Want { kNone, kLast, kAll };
  Status Run(Rows prompt, Want want, const Session::OnLogits& on_logits);
  // ... and keeps the wanted ones, at most kMostDrafts + 1, in `logits`.
  Status RunAndKeep(Rows prompt, Want want);
  // [V] of the last run's i-th row that wanted its logits.
  std::span<const float> LogitsRow(int64_t i) const;

  // Speculation: `token`, and the guesses after it, in one pass; LogitsRow(i) follows the i-th guess
  // (0: the token itself). Guesses that did not come true must be forgotten before the next run.
  static constexpr int64_t kMostDrafts = 7;
  Status RunDraft(int32_t token, std::span<const int32_t> guesses);
  void Forget(int64_t last);
  int64_t DraftRoom() const;  // guesses that cache and context take beside one token

  // The prompt past the cache, in slices; the last token's logits are in `logits` afterwards.
  Status Prefill(Rows prompt, const Session::OnPrefill& on_prefill);

  std::shared_ptr<internal::EngineImpl> engine;
  Decoder decoder;
  KvCache cache;
  std::vector<int32_t> tokens;       // what the cache holds
  std::vector<uint64_t> identities;  // ... and what each of these means (PromptRow::identity)
  std::vector<float> logits;         // [rows, V] of the last run's wanted rows
  std::vector<BatchRow> rows;        // scratch of Run
  std::vector<float> logits_block;   // [rows, V] scratch of Run
};

}  // namespace gemma3n
