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
  // ... and keeps the last one's in `logits` where they are wanted.
  Status RunAndKeep(Rows prompt, Want want);

  // The prompt past the cache, in slices; the last token's logits are in `logits` afterwards.
  Status Prefill(Rows prompt, const Session::OnPrefill& on_prefill);

  std::shared_ptr<internal::EngineImpl> engine;
  Decoder decoder;
  KvCache cache;
  std::vector<int32_t> tokens;       // what the cache holds
  std::vector<uint64_t> identities;  // ... and what each of these means (PromptRow::identity)
  std::vector<float> logits;         // [V] of the last run's last wanted row
  std::vector<BatchRow> rows;        // scratch of Run
  std::vector<float> logits_block;   // [rows, V] scratch of Run
};

}  // namespace gemma3n
