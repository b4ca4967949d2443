#include "runtime/cached_text.h"

#include <algorithm>

namespace gemma3n::internal {

int64_t CachedText::ReusePrefix(std::span<const PromptRow> prompt) {
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

void CachedText::AddTo(std::vector<BatchRow>* batch, std::span<const PromptRow> rows,
                       int64_t first_wanted, int sequence) const {
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    batch->push_back({.token = rows[i].token,
                      .sequence = sequence,
                      .position = cache.length() + i,
                      .wants_logits = i >= first_wanted,
                      .embedding = rows[i].embedding});
  }
}

void CachedText::Took(std::span<const PromptRow> rows) {
  for (const PromptRow& row : rows) {
    tokens.push_back(row.token);
    identities.push_back(row.identity);
  }
}

void CachedText::Forget(int64_t last) {
  if (last <= 0) return;
  cache.Truncate(cache.length() - last);
  tokens.resize(static_cast<size_t>(cache.length()));
  identities.resize(static_cast<size_t>(cache.length()));
}

void CachedText::Clear() {
  tokens.clear();
  identities.clear();
  cache.Clear();
}

}  // namespace gemma3n::internal
