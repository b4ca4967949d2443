// A batch through the decoder, with the engine's threads and scratch memory to itself.
#pragma once

#include <functional>
#include <span>

#include "base/result.h"
#include "model/text/decoder.h"
#include "runtime/engine_impl.h"

namespace gemma3n::internal {

// Rows of logits that are computed at once: bounds the scratch to so many vocabularies.
inline constexpr int64_t kLogitsRows = 32;

// The logits of the batch's wanted rows first .. first + logits.rows - 1 (counted among these
// alone), [rows, V]; may be changed. The engine's threads are free to use meanwhile.
using OnLogitsBlock = std::function<Status(int64_t first, const View& logits)>;

// Decoder::Forward, then ComputeLogits in blocks. top: as there. Errors: theirs, and on_logits's.
// When it fails before the first on_logits, the caches are as before.
Status RunBatch(EngineImpl& engine, const Decoder& decoder, std::span<const BatchRow> rows,
                std::span<KvCache* const> caches, int64_t top, const OnLogitsBlock& on_logits);

}  // namespace gemma3n::internal
