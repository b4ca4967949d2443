#include "gemma3n/session.h"

#include <algorithm>
#include <utility>

#include "model/matformer.h"
#include "runtime/guard.h"
#include "runtime/session_impl.h"

namespace gemma3n {
namespace {

constexpr int64_t kLogitsRows =
    16;  // rows of logits computed at once: bounds the scratch to 16 vocabularies

DType CacheType(KvType type, Precision precision) {
  switch (type) {
    case KvType::kFloat32:
      return DType::kF32;
    case KvType::kFloat16:
      return DType::kF16;
    case KvType::kInt8:
      return DType::kQ8_0;
    case KvType::kAuto:
      break;
  }
  return precision == Precision::kFloat32 ? DType::kF32 : DType::kF16;
}

}  // namespace

Result<std::unique_ptr<Session::Impl>> Session::Impl::Create(
    std::shared_ptr<internal::EngineImpl> engine, const SessionOptions& options) {
  G3N_RETURN_IF_ERROR(CheckModelSize(engine->checkpoint, options.size));
  G3N_ASSIGN_OR_RETURN(ModelConfig sliced, SlicedConfig(engine->config(), options.size));
  const int64_t longest = sliced.text.max_position;
  if (options.context < 0 || options.context > longest) {
    return Error(StatusCode::kInvalidArgument,
                 "context: expected 1 to {} tokens (0: all of it), found {}", longest,
                 options.context);
  }
  const int64_t context = options.context == 0 ? longest : options.context;
  G3N_ASSIGN_OR_RETURN(KvCache cache,
                       KvCache::Create(sliced.text, context, engine->options.prefill_chunk,
                                       CacheType(options.kv_type, engine->options.precision)));
  NestedModel nested{sliced.text, KeptLayers(engine->config().text.num_layers, options.size)};
  Decoder decoder(engine->weights, engine->hard, std::move(nested), engine->options.prefill_skip);
  if (engine->options.huge_pages && engine->weights.mapped) {
    const std::lock_guard lock(engine->compute);
    engine->huge_pages.Want(decoder.DecodedWeights());
  }
  return std::make_unique<Impl>(std::move(engine), std::move(decoder), std::move(cache));
}

int64_t Session::Impl::ReusePrefix(Rows prompt) {
  const int64_t most = static_cast<int64_t>(std::min(identities.size(), prompt.size()));
  int64_t common = 0;
  while (common < most && identities[common] == prompt[common].identity) ++common;
  // The last token's logits are needed, so it always runs again.
  int64_t length = std::min(common, static_cast<int64_t>(prompt.size()) - 1);
  if (!cache.CanTruncate(length)) length = 0;
  if (length == 0) {
    cache.Clear();
  } else {
    cache.Truncate(length);
  }
  tokens.resize(length);
  identities.resize(length);
  return length;
}

Status Session::Impl::Run(Rows prompt, Want want, const OnLogits& on_logits) {
  rows.assign(prompt.size(), BatchRow{});
  for (size_t i = 0; i < prompt.size(); ++i) {
    rows[i].token = prompt[i].token;
    rows[i].embedding = prompt[i].embedding;
    rows[i].position = cache.length() + static_cast<int64_t>(i);
    rows[i].wants_logits = want == Want::kAll || (want == Want::kLast && i + 1 == prompt.size());
  }
  const std::lock_guard lock(engine->compute);
  Arena& arena = *engine->arena;
  const Arena::Scope scope(arena);
  KvCache* const caches[] = {&cache};
  G3N_ASSIGN_OR_RETURN(const View hidden, decoder.Forward(rows, caches, engine->ops, arena));
  for (const internal::PromptRow& row : prompt) {
    tokens.push_back(row.token);
    identities.push_back(row.identity);
  }
  engine->AfterForward(static_cast<int64_t>(prompt.size()),
                       want != Want::kNone && prompt.size() <= 1 + kMostDrafts);

  const int64_t vocab = decoder.config().vocab_size;
  const int64_t first =
      cache.length() - hidden.rows;  // position of the first row that wants logits
  for (int64_t begin = 0; begin < hidden.rows; begin += kLogitsRows) {
    const int64_t count = std::min(kLogitsRows, hidden.rows - begin);
    logits_block.resize(static_cast<size_t>(count * vocab));
    const View block(logits_block.data(), count, vocab);
    G3N_RETURN_IF_ERROR(
        decoder.ComputeLogits(hidden.Rows(begin, count), block, engine->ops, arena));
    for (int64_t r = 0; r < count; ++r) {
      if (!on_logits(first + begin + r, {block.row(r), static_cast<size_t>(vocab)})) {
        return Error(StatusCode::kCancelled, "cancelled");
      }
    }
  }
  return OkStatus();
}

Status Session::Impl::RunAndKeep(Rows prompt, Want want) {
  logits.clear();
  return Run(prompt, want, [&](int64_t, std::span<const float> values) {
    logits.insert(logits.end(), values.begin(), values.end());
    return true;
  });
}

std::span<const float> Session::Impl::LogitsRow(int64_t i) const {
  const auto vocab = static_cast<size_t>(decoder.config().vocab_size);
  return std::span(logits).subspan(static_cast<size_t>(i) * vocab, vocab);
}

Status Session::Impl::RunDraft(int32_t token, std::span<const int32_t> guesses) {
  internal::PromptRow run[1 + kMostDrafts];
  size_t count = 0;
  run[count++] = {token, nullptr, static_cast<uint64_t>(token)};
  for (int32_t guess : guesses) run[count++] = {guess, nullptr, static_cast<uint64_t>(guess)};
  return RunAndKeep({run, count}, Want::kAll);
}

void Session::Impl::Forget(int64_t last) {
  if (last <= 0) return;
  cache.Truncate(cache.length() - last);
  tokens.resize(static_cast<size_t>(cache.length()));
  identities.resize(static_cast<size_t>(cache.length()));
}

int64_t Session::Impl::DraftRoom() const {
  return std::min({kMostDrafts, cache.max_rows() - 1, cache.context() - cache.length() - 1});
}

Status Session::Impl::Prefill(Rows prompt, const OnPrefill& on_prefill) {
  const int64_t total = static_cast<int64_t>(prompt.size());
  while (static_cast<int64_t>(tokens.size()) < total) {
    const int64_t done = static_cast<int64_t>(tokens.size());
    if (on_prefill && !on_prefill(done, total))
      return Error(StatusCode::kCancelled, "cancelled during the prompt");
    const int64_t count = std::min(engine->options.prefill_chunk, total - done);
    G3N_RETURN_IF_ERROR(
        RunAndKeep(prompt.subspan(done, count), done + count == total ? Want::kLast : Want::kNone));
  }
  if (on_prefill && !on_prefill(total, total))
    return Error(StatusCode::kCancelled, "cancelled during the prompt");
  return OkStatus();
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Status Session::Score(const Prompt& prompt, const OnLogits& on_logits) {
  return Guard([&]() -> Status {
    G3N_ASSIGN_OR_RETURN(const auto owned,
                         internal::PromptRows(prompt, *impl_->engine, impl_->cache.context()));
    const Impl::Rows rows = owned;
    Reset();
    const auto chunk = static_cast<size_t>(impl_->engine->options.prefill_chunk);
    for (size_t done = 0; done < rows.size(); done += chunk) {
      G3N_RETURN_IF_ERROR(impl_->Run(rows.subspan(done, std::min(chunk, rows.size() - done)),
                                     Impl::Want::kAll, on_logits));
    }
    return OkStatus();
  });
}

void Session::Reset() {
  impl_->tokens.clear();
  impl_->identities.clear();
  impl_->cache.Clear();
}

std::span<const int32_t> Session::tokens() const { return impl_->tokens; }
int64_t Session::context() const { return impl_->cache.context(); }

}  // namespace gemma3n
