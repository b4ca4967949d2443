#include "model/text/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/huge_pages.h"

namespace gemma3n {
namespace {

int64_t RollingCapacity(const TextConfig& config, int64_t context, int64_t max_rows) {
  return std::min(context, config.sliding_window - 1 + max_rows);
}

// Huge pages for what each of the runs has beyond the first of them: long contexts are read from
// end to end at every step, while short ones would leave most of a huge page unused in every run.
void WishForLongContexts(Buffer& memory, int64_t runs) {
  const size_t run = memory.size() / static_cast<size_t>(runs);
  auto* const begin = memory.as<std::byte>();
  for (std::byte* at = begin; run > 2 * kHugePage && at < begin + memory.size(); at += run) {
    const auto skipped = reinterpret_cast<uintptr_t>(at) % kHugePage;
    WishHugePages(at + 2 * kHugePage - skipped, run - 2 * kHugePage);
  }
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
    if (!layer.sliding) WishForLongContexts(layer.memory, 2 * config.num_kv_heads);
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

void KvCache::Release() {
  Clear();
  for (Layer& layer : layers_) layer.memory.ReleasePages();
}

int64_t KvCache::PieceBytes(int64_t count) const {
  return static_cast<int64_t>(layers_.size()) * 2 * kv_heads_ * count * row_bytes_;
}

template <typename Each>
void KvCache::ForPiece(int64_t first, int64_t count, const Each& each) const {
  int64_t offset = 0;  // in the piece: [layers, 2, kv_heads, count] rows
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    for (int64_t run = 0; run < 2 * kv_heads_; ++run) {
      const int64_t ring = run * layer.capacity;
      for (int64_t done = 0, n; done < count; done += n) {
        const int64_t at = (first + done) % layer.capacity;
        n = std::min(count - done, layer.capacity - at);
        each(i, (ring + at) * row_bytes_, offset, static_cast<size_t>(n * row_bytes_));
        offset += n * row_bytes_;
      }
    }
  }
}

void KvCache::CopyOut(int64_t first, int64_t count, std::byte* out) const {
  ForPiece(first, count, [&](size_t layer, int64_t stored, int64_t offset, size_t bytes) {
    std::memcpy(out + offset, layers_[layer].memory.as<std::byte>() + stored, bytes);
  });
}

void KvCache::Append(int64_t count, const std::byte* piece, bool rolling) {
  ForPiece(length_, count, [&](size_t layer, int64_t stored, int64_t offset, size_t bytes) {
    Layer& l = layers_[layer];
    if (rolling || !l.sliding)
      std::memcpy(l.memory.as<std::byte>() + stored, piece + offset, bytes);
  });
  Advance(count);
  if (!rolling) oldest_ = length_;
}

int64_t KvCache::Bytes(const TextConfig& config, int64_t positions, int64_t max_rows, DType dtype) {
  int64_t held = 0;
  for (int64_t i = 0; i < config.first_kv_shared(); ++i) {
    held += config.sliding[i] ? RollingCapacity(config, positions, max_rows) : positions;
  }
  return held * 2 * config.num_kv_heads * RowBytes(dtype, config.head_dim);
}

}  // namespace gemma3n
