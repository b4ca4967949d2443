// One answer in the making: text so far, what is held back, why it ended.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "gemma3n/session.h"
#include "runtime/engine_impl.h"
#include "sampling/stop_detector.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

class Answer {
 public:
  // All but `stop` must outlive this.
  Answer(const internal::EngineImpl& engine, const GenerationOptions& options, StopDetector stop,
         const Session::OnToken& on_token);

  // Takes the next token with the raw logits that it was drawn from. Returns false when the answer
  // has ended.
  bool Take(int32_t token, std::span<const float> raw_logits);

  // Hands out text that was held back: an incomplete character, the beginning of a stop string that
  // never came.
  void Flush();

  bool End(StopReason reason) {
    result.reason = reason;
    return false;
  }

  GenerationResult result;

 private:
  std::optional<StopReason> EndOf(int32_t token) const;

  const internal::EngineImpl& engine_;
  const GenerationOptions& options_;
  const Session::OnToken& on_token_;
  std::optional<StreamingDecoder> decoder_;  // none without a tokenizer: the answer is ids alone
  StopDetector stop_;
};

}  // namespace gemma3n
