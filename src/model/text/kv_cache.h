// Keys and values of one sequence, for the layers that own them. Sliding layers keep a rolling
// window, full ones everything.
//   docs/MODEL.md 5 - HF Gemma3nTextAttention (kv sharing), DynamicCache / sliding window cache
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "model/config.h"

namespace gemma3n {

class KvCache {
 public:
  // context: positions that will ever be held; max_rows: rows written per forward at most.
  // A sliding layer holds window - 1 + max_rows positions, so that a whole slice of a prompt can be
  // written before its first row attends. Errors: kResourceExhausted. Memory becomes resident as
  // positions are written.
  static Result<KvCache> Create(const TextConfig& config, int64_t context, int64_t max_rows);

  int64_t length() const { return length_; }  // positions held: 0 .. length - 1
  int64_t context() const { return context_; }
  int64_t max_rows() const { return max_rows_; }

  // Where position p of an owning layer's key or value lies, [head_dim] floats; the next position's
  // follows (modulo the roll).
  float* Key(int64_t layer, int64_t kv_head, int64_t position) {
    return At(layer, kv_head, position, 0);
  }
  float* Value(int64_t layer, int64_t kv_head, int64_t position) {
    return At(layer, kv_head, position, 1);
  }

  // The keys visible from `position` (itself included, already written), as one or two runs, oldest
  // first.
  struct Run {
    const float* k = nullptr;
    const float* v = nullptr;
    int64_t count = 0;
  };
  void Visible(int64_t layer, int64_t kv_head, int64_t position, Run runs[2]);
  // How many keys Visible() gives.
  int64_t VisibleCount(int64_t layer, int64_t position) const;

  // After every layer has written rows at positions length .. length + rows - 1.
  void Advance(int64_t rows);
  // Whether the first `length` positions can be kept and the rest forgotten: the rolling windows
  // may have lost what they need.
  bool CanTruncate(int64_t length) const;
  // Precondition: CanTruncate(length).
  void Truncate(int64_t length) { length_ = length; }
  void Clear() { length_ = oldest_ = 0; }

  // Bytes that `positions` tokens take when written.
  static int64_t Bytes(const TextConfig& config, int64_t positions, int64_t max_rows);

 private:
  struct Layer {
    Buffer memory;  // [2, kv_heads, capacity, head_dim]
    int64_t capacity = 0;
    bool sliding = false;
  };
  float* At(int64_t layer, int64_t kv_head, int64_t position, int64_t value) {
    Layer& l = layers_[layer];
    return l.memory.as<float>() +
           ((value * kv_heads_ + kv_head) * l.capacity + position % l.capacity) * head_dim_;
  }

  std::vector<Layer> layers_;
  int64_t kv_heads_ = 0, head_dim_ = 0, window_ = 0, context_ = 0, max_rows_ = 0,
          rolling_capacity_ = 0;
  int64_t length_ = 0;
  int64_t oldest_ = 0;  // rolling layers have overwritten what lies before it
};

}  // namespace gemma3n
