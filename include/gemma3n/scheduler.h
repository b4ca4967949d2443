// Scheduler: many requests through one engine at once (continuous batching). A step runs one row for each answer in
// the making and slices of the prompts that wait, as one batch; requests join and leave at every step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gemma3n/export.h"
#include "gemma3n/options.h"
#include "gemma3n/prompt.h"
#include "gemma3n/session.h"
#include "gemma3n/status.h"

namespace gemma3n {

class Engine;

struct SchedulerOptions {
  int max_running = 16;     // requests in the batch at once, 1 or more
  int max_waiting = 256;    // requests that wait for a place; more are refused
  int64_t context = 0;      // tokens of prompt and answer of one request; 0: the model's own
  KvType kv_type = KvType::kAuto;
  int64_t slice_rows = 0;   // prompt rows a step runs while answers are in the making, so that their streams do not
                            // stall; 0: a quarter of the engine's prefill_chunk. Alone, a prompt takes whole chunks.
  int64_t prefix_cache_bytes = int64_t{1} << 30;  // keys and values kept for prompts that begin alike; 0: none
};

// One prompt to answer.
struct Request {
  Prompt prompt;
  GenerationOptions options;
  ModelSize size;              // each request may take its own nested model
  std::string client;          // requests of one client take turns with those of others
  double timeout_seconds = 0;  // 0: none; counted from Submit
  bool prompt_logprobs = false;  // also the prompt's own log-probabilities (PromptLogprobs), options.top_logprobs of them
};

// What the prompt's tokens were worth: one entry for each, the first without a probability.
struct PromptToken {
  int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top;
};

struct RequestOutcome {
  Status status;            // kCancelled: by Cancel, on_token or ~Scheduler; kOutOfRange: the prompt does not fit; ...
  GenerationResult result;  // what there is, also after an error
  std::vector<PromptToken> prompt;
  bool timed_out = false;   // status is kCancelled because timeout_seconds were over
};

struct SchedulerStats {
  int64_t running = 0, waiting = 0, paused = 0;
  int64_t finished = 0, cancelled = 0, failed = 0, refused = 0;  // since the start
  int64_t steps = 0, prompt_tokens = 0, cached_prompt_tokens = 0, generated_tokens = 0;
  int64_t prefix_cache_bytes = 0, prefix_cache_tokens = 0;
  double busy_seconds = 0;  // in steps
};

class GEMMA3N_API Scheduler {
 public:
  using Id = uint64_t;
  // Both are called from the scheduler's own thread and must not block. Return false from OnToken to cancel.
  using OnToken = std::function<bool(const TokenEvent&)>;
  using OnDone = std::function<void(RequestOutcome)>;  // exactly once for each request that Submit took

  // Starts the scheduler's thread. Errors: kInvalidArgument (options), kResourceExhausted.
  static Result<std::unique_ptr<Scheduler>> Create(std::shared_ptr<const Engine> engine,
                                                   const SchedulerOptions& options);
  ~Scheduler();  // cancels what is left; not from a callback

  // Queues a request. Errors: kInvalidArgument (as Session::Generate's), kOutOfRange (too long), kResourceExhausted
  // (max_waiting reached), kCancelled (after Drain).
  Result<Id> Submit(Request request, OnToken on_token, OnDone on_done);
  // Ends a request at the next step; unknown ids are ignored.
  void Cancel(Id id);
  // A paused request keeps its place and takes no part in steps: its reader is behind.
  void Pause(Id id);
  void Resume(Id id);

  // Takes no more requests and returns when the rest are done, or cancels them after `seconds`. Not from a callback.
  void Drain(double seconds);

  SchedulerStats stats() const;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n
