#include "model/text/kv_cache.h"

#include <algorithm>
#include <utility>

namespace gemma3n {
namespace {

int64_t RollingCapacity(const TextConfig& config, int64_t context, int64_t max_rows) {
  return std::min(context, config.sliding_window - 1 + max_rows);
}

}  // namespace

Result<KvCache> KvCache::Create(const TextConfig& config, int64_t context, int64_t max_rows) {
  KvCache cache;
  cache.kv_heads_ = config.num_kv_heads;
  cache.head_dim_ = config.head_dim;
  cache.window_ = config.sliding_window;
  cache.context_ = context;
  cache.max_rows_ = max_rows;
  cache.rolling_capacity_ = RollingCapacity(config, context, max_rows);
  for (int64_t i = 0; i < config.first_kv_shared(); ++i) {
    Layer layer;
    layer.sliding = config.sliding[i];
    layer.capacity = layer.sliding ? cache.rolling_capacity_ : context;
    G3N_ASSIGN_OR_RETURN(
        layer.memory,
        Buffer::Allocate(sizeof(float) * 2 * config.kv_dim() * layer.capacity, "the KV cache"));
    cache.layers_.push_back(std::move(layer));
  }
  return cache;
}

int64_t KvCache::VisibleCount(int64_t layer, int64_t position) const {
  return layers_[layer].sliding ? std::min(position + 1, window_) : position + 1;
}

void KvCache::Visible(int64_t layer, int64_t kv_head, int64_t position, Run runs[2]) {
  const int64_t count = VisibleCount(layer, position), first = position + 1 - count;
  const int64_t capacity = layers_[layer].capacity;
  const int64_t before_roll = std::min(count, capacity - first % capacity);
  runs[0] = {Key(layer, kv_head, first), Value(layer, kv_head, first), before_roll};
  runs[1] = {};
  if (before_roll < count) {
    runs[1] = {Key(layer, kv_head, first + before_roll), Value(layer, kv_head, first + before_roll),
               count - before_roll};
  }
}

void KvCache::Advance(int64_t rows) {
  length_ += rows;
  oldest_ = std::max(oldest_, length_ - rolling_capacity_);
}

bool KvCache::CanTruncate(int64_t length) const {
  if (length < 0 || length > length_) return false;
  return length == 0 || std::max<int64_t>(0, length - (window_ - 1)) >= oldest_;
}

int64_t KvCache::Bytes(const TextConfig& config, int64_t positions, int64_t max_rows) {
  int64_t held = 0;
  for (int64_t i = 0; i < config.first_kv_shared(); ++i) {
    held += config.sliding[i] ? RollingCapacity(config, positions, max_rows) : positions;
  }
  return held * 2 * config.kv_dim() * static_cast<int64_t>(sizeof(float));
}

}  // namespace gemma3n
