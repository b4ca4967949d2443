// Grouped-query attention with per-head query/key norms, no score scaling and no softcap; the last
// layers read the K/V of an earlier layer of their kind.                       docs/MODEL.md 5 - HF
// Gemma3nTextAttention
//   q = rope(rms(Wq n; q_norm))   k = rope(rms(Wk n; k_norm))   v = rms(Wv n)     (v: no weight, no
//   rope) o = Wo softmax(q k^T + mask) v        mask: causal; sliding layers see `sliding_window`
//   keys, their own included
#pragma once

#include <span>

#include "model/stage.h"
#include "model/text/batch.h"
#include "model/text/kv_cache.h"
#include "model/text/rope.h"
#include "model/weights.h"

namespace gemma3n {

// Writes the rows' keys and values into their sequences' caches at owning layer `kv_layer`.   n:
// [T, D], the normed input
Status WriteKeysValues(const AttentionWeights& w, int64_t kv_layer, const ConstView& n,
                       std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                       const RopeTable& rope, const StageContext& ctx);

// out = Wo attention(n) for rows whose visible keys are all written.   n, out: [T, D]
Status AttentionForward(const AttentionWeights& w, int64_t kv_layer, const ConstView& n,
                        std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                        const RopeTable& rope, const View& out, const StageContext& ctx);

}  // namespace gemma3n
