// Soft tokens by what they were made of: a medium that comes again is not encoded again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "runtime/soft_tokens.h"

namespace gemma3n::internal {

// Least recently used ones go first. Safe to use from many threads.
class SoftTokenCache {
 public:
  using Entry = std::shared_ptr<const SoftTokens>;

  explicit SoftTokenCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when it is not there.
  Entry Find(const ContentHash& key);
  // Replaces what has this key. What is larger than the whole cache is not kept.
  void Insert(const ContentHash& key, Entry entry);

  int64_t bytes() const;

 private:
  struct Node {
    ContentHash key;
    Entry entry;
  };
  static int64_t Bytes(const Entry& entry) {
    return static_cast<int64_t>(entry->rows.size() * sizeof(float));
  }
  void Erase(std::list<Node>::iterator node);

  mutable std::mutex mutex_;
  int64_t max_bytes_, bytes_ = 0;
  std::list<Node> nodes_;  // most recently used first
  std::map<ContentHash, std::list<Node>::iterator> index_;
};

}  // namespace gemma3n::internal
