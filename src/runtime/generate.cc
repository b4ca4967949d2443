// One session's answer: a generation's passes, one after the other.
#include <algorithm>
#include <utility>

#include "gemma3n/session.h"
#include "runtime/generation.h"
#include "runtime/guard.h"
#include "runtime/session_impl.h"

namespace gemma3n {

const char* StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end";
    case StopReason::kStopString:
      return "stop string";
    case StopReason::kStopToken:
      return "stop token";
    case StopReason::kMaxTokens:
      return "max tokens";
    case StopReason::kContextFull:
      return "context full";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Result<GenerationResult> Session::Generate(const Prompt& prompt, const GenerationOptions& options,
                                           const OnToken& on_token, const OnPrefill& on_prefill) {
  return Guard([&]() -> Result<GenerationResult> {
    Impl& s = *impl_;
    internal::CachedText& text = s.text;
    G3N_ASSIGN_OR_RETURN(
        const auto generation,
        internal::Generation::Create(*s.engine, prompt, options, on_token, text.cache.context()));
    internal::Generation& g = *generation;
    const int64_t total = std::ssize(g.prompt());
    const auto reports = [&](int64_t done) { return !on_prefill || on_prefill(done, total); };
    g.Begin(text.ReusePrefix(g.prompt()));
    while (!g.done()) {
      const int64_t before = text.cache.length();
      const bool in_prompt = g.InPrompt(before);
      if (in_prompt && !reports(before)) {
        return Error(StatusCode::kCancelled, "cancelled during the prompt");
      }
      const auto pass = g.Next(before, text.cache.max_rows(), text.cache.max_rows() - 1);
      const auto draw = [&](int64_t, const View& logits) {
        for (int64_t r = 0; r < logits.rows; ++r) {
          g.Draw({logits.row(r), static_cast<size_t>(logits.cols)});
        }
        return OkStatus();
      };
      G3N_RETURN_IF_ERROR(s.Run(pass.rows, pass.first_wanted, g.top(), draw));
      if (in_prompt && !g.InPrompt(text.cache.length()) && !reports(total)) {
        return Error(StatusCode::kCancelled, "cancelled during the prompt");
      }
      G3N_RETURN_IF_ERROR(g.Deliver(text.cache.length()));
      text.Forget(g.wrong());
    }
    return g.Finish();
  });
}

}  // namespace gemma3n
