// One answer in the making: text so far, what is held back, why it ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gemma3n/session.h"
#include "runtime/engine_impl.h"
#include "sampling/stop_detector.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// A token, and the model's own log-probabilities where they were asked for.
struct Drawn {
  int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top;
};

class Answer {
 public:
  // All but `stop` must outlive this.
  Answer(const internal::EngineImpl& engine, const GenerationOptions& options, StopDetector stop,
         const Session::OnToken& on_token);

  // Takes the next token. Returns false when the answer has ended.
  bool Take(const Drawn& drawn);
  // Why the answer ends with a token that is not part of it; none for all others.
  std::optional<StopReason> EndOf(int32_t token) const;

  // Hands out text that was held back: an incomplete character, the beginning of a stop string that
  // never came.
  void Flush();

  bool End(StopReason reason) {
    result.reason = reason;
    return false;
  }

  GenerationResult result;

 private:
  const internal::EngineImpl& engine_;
  const GenerationOptions& options_;
  const Session::OnToken& on_token_;
  std::optional<StreamingDecoder> decoder_;  // none without a tokenizer: the answer is ids alone
  StopDetector stop_;
};

}  // namespace gemma3n
