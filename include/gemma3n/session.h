// Session: one conversation's mutable state (its KV cache and tokens). One thread at a time; the Engine is shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gemma3n/export.h"
#include "gemma3n/options.h"
#include "gemma3n/prompt.h"
#include "gemma3n/status.h"

namespace gemma3n {

class Engine;

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;  // natural log of the model's own probability, before temperature and truncation
};

// One step of the answer, handed to the caller as it happens.
struct TokenEvent {
  int32_t token = 0;
  std::string_view text;                   // what became printable with it; may be empty (UTF-8 or a stop string pending)
  float logprob = 0;                       // set when logprobs were asked for
  std::span<const TokenLogprob> top;       // the most probable alternatives
};

enum class StopReason { kEndToken, kStopString, kStopToken, kMaxTokens, kContextFull, kCancelled };
GEMMA3N_API const char* StopReasonName(StopReason reason);  // "end", "stop string", "stop token", "max tokens", "context full", "cancelled"

struct GenerationStats {
  int64_t prompt_tokens = 0;       // of the whole prompt
  int64_t cached_tokens = 0;       // of these, found in the session's cache
  int64_t generated_tokens = 0;
  int64_t drafted_tokens = 0;      // guessed ahead (GenerationOptions::draft_tokens)
  int64_t accepted_tokens = 0;     // of these, what the answer turned out to be
  double prefill_seconds = 0;      // prompt, until its last token's logits
  double first_token_seconds = 0;  // from the call to the first token
  double decode_seconds = 0;       // after the first token
};

struct GenerationResult {
  std::string text;
  std::vector<int32_t> tokens;     // without the end token
  std::vector<TokenLogprob> logprobs;
  StopReason reason = StopReason::kEndToken;
  GenerationStats stats;
};

class GEMMA3N_API Session {
 public:
  // Return false to stop (StopReason::kCancelled; what was generated so far is kept).
  using OnToken = std::function<bool(const TokenEvent&)>;
  // Called between slices of a long prompt with tokens done and in all; false cancels (kCancelled status).
  using OnPrefill = std::function<bool(int64_t done, int64_t total)>;
  // One position's logits [vocab].
  using OnLogits = std::function<bool(int64_t position, std::span<const float> logits)>;

  ~Session();

  // Answers a prompt. Only what differs from the tokens already in the cache is computed: a conversation that
  // grows by a turn costs that turn. Errors: kInvalidArgument (empty prompt, ids outside the vocabulary, soft tokens
  // without their media, bad options), kOutOfRange (prompt does not fit the context), kCancelled (by on_prefill).
  Result<GenerationResult> Generate(const Prompt& prompt, const GenerationOptions& options,
                                    const OnToken& on_token = {}, const OnPrefill& on_prefill = {});

  // Runs the prompt and hands out every position's logits, in order. Starts from an empty cache. Errors: as Generate's.
  Status Score(const Prompt& prompt, const OnLogits& on_logits);

  // Forgets everything.
  void Reset();

  // Tokens whose keys and values are cached, in order.
  std::span<const int32_t> tokens() const;
  int64_t context() const;

  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n
