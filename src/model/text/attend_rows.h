// softmax(q K^T) V of a batch's rows over their sequences' caches: how the work is cut and shared
// out among the threads.
#pragma once

#include <cstdint>
#include <span>

#include "model/stage.h"
#include "model/text/batch.h"
#include "model/text/kv_cache.h"

namespace gemma3n {

// out[t] = attention of row t, whose visible keys and values at `kv_layer` are all written.
//   q, out: [T, Hq * d]
void AttendRows(int64_t kv_layer, std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                const ConstView& q, const View& out, const StageContext& ctx);

// Floats of the arena that a call takes at most, for forwards of up to max_rows rows.
int64_t AttendRowsFloats(const TextConfig& config, const Ops& ops, int64_t max_rows,
                         int64_t context);

}  // namespace gemma3n
