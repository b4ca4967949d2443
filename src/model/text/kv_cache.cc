#include "model/text/kv_cache.h"

#include <algorithm>
#include <utility>

namespace gemma3n {
namespace {

int64_t RollingCapacity(const TextConfig& config, int64_t context, int64_t max_rows) {
  return std::min(context, config.sliding_window - 1 + max_rows);
}

}  // namespace

Result<KvCache> KvCache::Create(const TextConfig& config, int64_t context, int64_t max_rows,
                                DType dtype) {
  const int64_t block = Traits(dtype).block_elements;
  if (config.head_dim % block != 0) {
    return Error(StatusCode::kInvalidArgument,
                 "KV cache as {}: expected heads of a multiple of {} values, found {}", Name(dtype),
                 block, config.head_dim);
  }
  KvCache cache;
  cache.dtype_ = dtype;
  cache.kv_heads_ = config.num_kv_heads;
  cache.head_dim_ = config.head_dim;
  cache.row_bytes_ = RowBytes(dtype, config.head_dim);
  cache.window_ = config.sliding_window;
  cache.context_ = context;
  cache.max_rows_ = max_rows;
  cache.rolling_capacity_ = RollingCapacity(config, context, max_rows);
  for (int64_t i = 0; i < config.first_kv_shared(); ++i) {
    Layer layer;
    layer.sliding = config.sliding[i];
    layer.capacity = layer.sliding ? cache.rolling_capacity_ : context;
    G3N_ASSIGN_OR_RETURN(
        layer.memory, Buffer::Allocate(2 * config.num_kv_heads * layer.capacity * cache.row_bytes_,
                                       "the KV cache"));
    cache.layers_.push_back(std::move(layer));
  }
  return cache;
}

KeysValues KvCache::Head(int64_t layer, int64_t kv_head) {
  return {.dtype = dtype_,
          .head_dim = head_dim_,
          .row_bytes = row_bytes_,
          .capacity = layers_[layer].capacity,
          .k = Key(layer, kv_head, 0),
          .v = Value(layer, kv_head, 0)};
}

void KvCache::Advance(int64_t rows) {
  length_ += rows;
  oldest_ = std::max(oldest_, length_ - rolling_capacity_);
}

bool KvCache::CanTruncate(int64_t length) const {
  if (length < 0 || length > length_) return false;
  return length == 0 || std::max<int64_t>(0, length - (window_ - 1)) >= oldest_;
}

int64_t KvCache::Bytes(const TextConfig& config, int64_t positions, int64_t max_rows, DType dtype) {
  int64_t held = 0;
  for (int64_t i = 0; i < config.first_kv_shared(); ++i) {
    held += config.sliding[i] ? RollingCapacity(config, positions, max_rows) : positions;
  }
  return held * 2 * config.num_kv_heads * RowBytes(dtype, config.head_dim);
}

}  // namespace gemma3n
