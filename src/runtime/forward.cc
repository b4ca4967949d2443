#include "runtime/forward.h"

#include <algorithm>
#include <chrono>

namespace gemma3n::internal {

Status RunBatch(EngineImpl& engine, const Decoder& decoder, std::span<const BatchRow> rows,
                std::span<KvCache* const> caches, int64_t top, const OnLogitsBlock& on_logits) {
  const FairMutex::Guard lock(engine.compute, FairMutex::Lane::kSteps);
  Arena& arena = *engine.arena;
  const Arena::Scope scope(arena);
  using Clock = std::chrono::steady_clock;
  if (std::ssize(rows) >= Decoder::kLongPass) engine.long_scratch = true;
  const auto start = Clock::now();
  G3N_ASSIGN_OR_RETURN(const View in_arena, decoder.Forward(rows, caches, engine.ops, arena));
  engine.AfterForward(std::ssize(rows),
                      std::chrono::duration<double>(Clock::now() - start).count());
  ConstView hidden = in_arena;
  if (engine.long_scratch && hidden.rows > 0 && top > 0) hidden = engine.ReleaseScratch(in_arena);
  const int64_t vocab = decoder.config().vocab_size;
  for (int64_t first = 0; first < hidden.rows; first += kLogitsRows) {
    const int64_t count = std::min(kLogitsRows, hidden.rows - first);
    if (std::ssize(engine.logits) < count * vocab) {
      engine.logits.resize(static_cast<size_t>(count * vocab));
    }
    const View block(engine.logits.data(), count, vocab);
    G3N_RETURN_IF_ERROR(
        decoder.ComputeLogits(hidden.Rows(first, count), block, top, engine.ops, arena));
    G3N_RETURN_IF_ERROR(on_logits(first, block));
  }
  return OkStatus();
}

}  // namespace gemma3n::internal
