// One request on its way through the scheduler.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "gemma3n/scheduler.h"
#include "runtime/cached_text.h"
#include "runtime/generation.h"
#include "runtime/sized_model.h"

namespace gemma3n::internal {

struct Job {
  using Clock = std::chrono::steady_clock;

  Scheduler::Id id = 0;
  Request request;
  Scheduler::OnToken on_token;
  Scheduler::OnDone on_done;
  std::shared_ptr<const SizedModel> model;
  int model_number = 0;
  std::optional<Clock::time_point> deadline;
  std::unique_ptr<Generation> generation;

  // Guarded by the scheduler's mutex. over: it has left its place, and nothing changes it any more.
  bool cancelled = false, paused = false, over = false;

  // Of the scheduler's thread.
  std::unique_ptr<CachedText> text;  // once it has a place and has begun
  int64_t kept = 0;                  // PrefixCache::Keep's
  int64_t served = 0;                // the step that last ran some of its prompt, or its first one
  bool timed_out = false;
  Status status;

  int64_t length() const { return text == nullptr ? 0 : text->cache.length(); }
  bool in_prompt() const { return generation->InPrompt(length()); }
  void Fail(Status why) {
    if (status.ok()) status = std::move(why);
  }
  bool ended() const { return !status.ok() || generation->done(); }
};

}  // namespace gemma3n::internal
