// A KV cache and what it holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/text/batch.h"
#include "model/text/kv_cache.h"
#include "runtime/prompt_rows.h"

namespace gemma3n::internal {

struct CachedText {
  explicit CachedText(KvCache c) : cache(std::move(c)) {}

  KvCache cache;
  std::vector<int32_t> tokens;       // what the cache holds
  std::vector<uint64_t> identities;  // ... and what each of these means (PromptRow::identity)

  // Keeps the longest usable common prefix of the cache and the prompt; returns its length (less
  // than prompt.size()).
  int64_t ReusePrefix(std::span<const PromptRow> prompt);

  // Appends rows that follow the cache to a batch, as its sequence `sequence`. The logits of those
  // from first_wanted on are wanted.
  void AddTo(std::vector<BatchRow>* batch, std::span<const PromptRow> rows, int64_t first_wanted,
             int sequence) const;
  // These rows are in the cache now.
  void Took(std::span<const PromptRow> rows);
  // Takes the last ones back.
  void Forget(int64_t last);
  void Clear();
};

}  // namespace gemma3n::internal
