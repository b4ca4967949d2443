#include "gemma3n/session.h"

#include <algorithm>
#include <utility>

#include "runtime/guard.h"
#include "runtime/session_impl.h"

namespace gemma3n {

Result<std::unique_ptr<Session::Impl>> Session::Impl::Create(
    std::shared_ptr<internal::EngineImpl> engine, const SessionOptions& options) {
  G3N_ASSIGN_OR_RETURN(auto model, internal::SizedModel::Create(*engine, options.size));
  G3N_ASSIGN_OR_RETURN(const int64_t context, internal::ContextOf(model, options.context));
  G3N_ASSIGN_OR_RETURN(KvCache cache, internal::NewCache(*engine, model, context, options.kv_type));
  return std::make_unique<Impl>(std::move(engine), std::move(model), std::move(cache));
}

Status Session::Impl::Run(std::span<const internal::PromptRow> prompt, int64_t first_wanted,
                          int64_t top, const internal::OnLogitsBlock& on_logits) {
  rows.clear();
  text.AddTo(&rows, prompt, first_wanted, 0);
  KvCache* const caches[] = {&text.cache};
  const int64_t before = text.cache.length();
  const Status status = internal::RunBatch(*engine, model.decoder, rows, caches, top, on_logits);
  if (text.cache.length() > before) text.Took(prompt);  // on_logits may fail after that
  return status;
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Status Session::Score(const Prompt& prompt, const OnLogits& on_logits) {
  return Guard([&]() -> Status {
    G3N_ASSIGN_OR_RETURN(const auto owned, internal::PromptRows(prompt, *impl_->engine, context()));
    const std::span<const internal::PromptRow> rows = owned;
    Reset();
    const auto chunk = static_cast<size_t>(impl_->engine->options.prefill_chunk);
    for (size_t done = 0; done < rows.size(); done += chunk) {
      const auto hand_out = [&](int64_t first, const View& logits) -> Status {
        for (int64_t r = 0; r < logits.rows; ++r) {
          if (!on_logits(static_cast<int64_t>(done) + first + r,
                         {logits.row(r), static_cast<size_t>(logits.cols)})) {
            return Error(StatusCode::kCancelled, "cancelled");
          }
        }
        return OkStatus();
      };
      G3N_RETURN_IF_ERROR(impl_->Run(rows.subspan(done, std::min(chunk, rows.size() - done)), 0,
                                     /*top=*/0, hand_out));
    }
    return OkStatus();
  });
}

void Session::Reset() { impl_->text.Clear(); }

std::span<const int32_t> Session::tokens() const { return impl_->text.tokens; }
int64_t Session::context() const { return impl_->text.cache.context(); }

}  // namespace gemma3n
