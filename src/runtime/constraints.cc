#include "runtime/constraints.h"

#include <algorithm>
#include <vector>

namespace gemma3n::internal {

Status Constraints::IndexTokens(const Result<Tokenizer>& tokenizer,
                                const ModelConfig& config) const {
  if (tokens_ != nullptr) return OkStatus();
  if (!tokenizer.ok()) {
    return Error(StatusCode::kUnsupported, "json_schema: expected a model with a tokenizer");
  }
  const int64_t size = std::min(config.text.vocab_size, tokenizer->vocab_size());
  std::vector<std::string> texts(static_cast<size_t>(size));
  for (int32_t id = 0; id < size; ++id) texts[static_cast<size_t>(id)] = tokenizer->TokenBytes(id);
  std::vector<int32_t> ends;
  for (const int32_t end : config.end_tokens) {
    if (end >= 0 && end < size) ends.push_back(end);
  }
  G3N_ASSIGN_OR_RETURN(tokens_, TokenIndex::Build(std::move(texts), std::move(ends)));
  return OkStatus();
}

Result<std::shared_ptr<const Constraint>> Constraints::Get(const std::string& schema,
                                                           const Result<Tokenizer>& tokenizer,
                                                           const ModelConfig& config) const {
  {
    const std::lock_guard lock(mutex_);
    G3N_RETURN_IF_ERROR(IndexTokens(tokenizer, config));
    const auto known = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const auto& kept) { return kept.first == schema; });
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
      return kept_.front().second;
    }
  }
  // Compiling may take a while: others need not wait for it.
  G3N_ASSIGN_OR_RETURN(auto constraint, Constraint::Compile(schema, tokens_));
  const std::lock_guard lock(mutex_);
  kept_.emplace_front(schema, constraint);
  if (kept_.size() > kKept) kept_.pop_back();
  return constraint;
}

}  // namespace gemma3n::internal
