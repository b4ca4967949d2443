#include "runtime/prompt_lookup.h"

#include <algorithm>

namespace gemma3n {

// A collision costs a wrong guess, no more.
uint64_t PromptLookup::LastGram() const {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = tokens_.size() - kGram; i < tokens_.size(); ++i) {
    hash = (hash ^ static_cast<uint32_t>(tokens_[i])) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

void PromptLookup::Add(int32_t token, bool word) {
  if (most_ <= 0) return;
  const auto at = static_cast<int64_t>(tokens_.size());
  if (at >= kGram) next_[LastGram()] = at;
  tokens_.push_back(word ? token : -1);
}

std::span<const int32_t> PromptLookup::Guess(int64_t room) {
  if (static_cast<int64_t>(tokens_.size()) < kGram || most_ <= 0) return {};
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const auto found = next_.find(LastGram());
  if (found == next_.end()) return {};
  const auto begin = tokens_.begin() + found->second;
  const auto wanted = std::min({length_, room, tokens_.end() - begin});
  const auto end = std::find(begin, begin + std::max<int64_t>(wanted, 0), -1);
  return {begin, end};
}

void PromptLookup::Learn(int64_t guessed, int64_t right) {
  if (guessed == 0) return;
  if (right == 0) {
    pause_ = std::min(kRarest, int64_t{2} << std::min<int64_t>(failures_++, 16));
    length_ = std::min<int64_t>(most_, 2);
    return;
  }
  failures_ = 0;
  length_ = right == guessed ? std::min(most_, 2 * length_) : std::min(most_, right + 1);
}

}  // namespace gemma3n
