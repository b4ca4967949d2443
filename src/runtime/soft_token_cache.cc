#include "runtime/soft_token_cache.h"

#include <utility>

namespace gemma3n::internal {

SoftTokenCache::Entry SoftTokenCache::Find(const ContentHash& key) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  nodes_.splice(nodes_.begin(), nodes_, found->second);
  return found->second->entry;
}

void SoftTokenCache::Insert(const ContentHash& key, Entry entry) {
  const std::lock_guard lock(mutex_);
  if (const auto found = index_.find(key); found != index_.end()) Erase(found->second);
  if (Bytes(entry) > max_bytes_) return;
  bytes_ += Bytes(entry);
  nodes_.push_front({key, std::move(entry)});
  index_[key] = nodes_.begin();
  while (bytes_ > max_bytes_) Erase(std::prev(nodes_.end()));
}

void SoftTokenCache::Erase(std::list<Node>::iterator node) {
  bytes_ -= Bytes(node->entry);
  index_.erase(node->key);
  nodes_.erase(node);
}

int64_t SoftTokenCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace gemma3n::internal
