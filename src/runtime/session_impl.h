// A session's state and the passes that it runs alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "gemma3n/session.h"
#include "runtime/cached_text.h"
#include "runtime/engine_impl.h"
#include "runtime/forward.h"
#include "runtime/prompt_rows.h"
#include "runtime/sized_model.h"

namespace gemma3n {

struct Session::Impl {
  static Result<std::unique_ptr<Impl>> Create(std::shared_ptr<internal::EngineImpl> engine,
                                              const SessionOptions& options);

  Impl(std::shared_ptr<internal::EngineImpl> e, internal::SizedModel m, KvCache c)
      : engine(std::move(e)), model(std::move(m)), text(std::move(c)) {}

  // Runs rows that follow the cache, at most prefill_chunk; the logits of those from first_wanted
  // on go to on_logits. top: as in Decoder::ComputeLogits.
  Status Run(std::span<const internal::PromptRow> prompt, int64_t first_wanted, int64_t top,
             const internal::OnLogitsBlock& on_logits);

  std::shared_ptr<internal::EngineImpl> engine;
  internal::SizedModel model;
  internal::CachedText text;
  std::vector<BatchRow> rows;  // scratch of Run
};

}  // namespace gemma3n
