// Keys and values of one sequence, for the layers that own them. Sliding layers keep a rolling
// window, full ones everything.
//   docs/MODEL.md 5 - HF Gemma3nTextAttention (kv sharing), DynamicCache / sliding window cache
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "kernels/attention_kernels.h"
#include "model/config.h"

namespace gemma3n {

class KvCache {
 public:
  // context: positions that will ever be held; max_rows: rows written per forward at most; dtype:
  // how keys and values are stored, kF32, kF16 or kQ8_0.
  // A sliding layer holds window - 1 + max_rows positions, so that a whole slice of a prompt can be
  // written before its first row attends. Errors: kResourceExhausted; kInvalidArgument where heads
  // are no whole blocks of the dtype. Memory becomes resident as positions are written.
  static Result<KvCache> Create(const TextConfig& config, int64_t context, int64_t max_rows,
                                DType dtype);

  int64_t length() const { return length_; }  // positions held: 0 .. length - 1
  int64_t context() const { return context_; }
  int64_t max_rows() const { return max_rows_; }
  DType dtype() const { return dtype_; }

  // Where position p of an owning layer's key or value lies: a stored row of head_dim values.
  std::byte* Key(int64_t layer, int64_t kv_head, int64_t position) {
    return At(layer, kv_head, position, 0);
  }
  std::byte* Value(int64_t layer, int64_t kv_head, int64_t position) {
    return At(layer, kv_head, position, 1);
  }

  // All that a head holds, for attention.
  KeysValues Head(int64_t layer, int64_t kv_head);
  // Whether a row at `position` sees the one at `key` through a sliding layer.
  bool SeesThroughWindow(int64_t position, int64_t key) const { return key > position - window_; }
  // How many keys a query sees at most, its own included.
  int64_t Window(int64_t layer) const { return layers_[layer].sliding ? window_ : context_; }

  // After every layer has written rows at positions length .. length + rows - 1.
  void Advance(int64_t rows);
  // Whether the first `length` positions can be kept and the rest forgotten: the rolling windows
  // may have lost what they need.
  bool CanTruncate(int64_t length) const;
  // Precondition: CanTruncate(length).
  void Truncate(int64_t length) { length_ = length; }
  void Clear() { length_ = oldest_ = 0; }
  // Clear, and the memory goes back to the system until it is written again.
  void Release();

  // Pieces of a cache that are kept for another: `count` positions of every owning layer.
  int64_t PieceBytes(int64_t count) const;
  // Whether the rolling layers still hold what lies at `first` and after it.
  bool Holds(int64_t first) const { return first >= oldest_ && first <= length_; }
  // out: PieceBytes(count). Precondition: Holds(first), first + count <= length().
  void CopyOut(int64_t first, int64_t count, std::byte* out) const;
  // Continues with what CopyOut gave of these positions in a cache of the same shape. rolling:
  // false where no later row will see the piece through a sliding layer. Precondition: room in the
  // context.
  void Append(int64_t count, const std::byte* piece, bool rolling);

  // Bytes that `positions` tokens take when written.
  static int64_t Bytes(const TextConfig& config, int64_t positions, int64_t max_rows, DType dtype);

 private:
  struct Layer {
    Buffer memory;  // [2, kv_heads, capacity, row_bytes]
    int64_t capacity = 0;
    bool sliding = false;
  };
  // Calls each(layer, stored, offset, bytes) for every run of bytes of the positions: where it lies
  // in the layer's memory, and where in a piece.
  template <typename Each>
  void ForPiece(int64_t first, int64_t count, const Each& each) const;
  std::byte* At(int64_t layer, int64_t kv_head, int64_t position, int64_t value) {
    Layer& l = layers_[layer];
    return l.memory.as<std::byte>() +
           ((value * kv_heads_ + kv_head) * l.capacity + position % l.capacity) * row_bytes_;
  }

  std::vector<Layer> layers_;
  DType dtype_ = DType::kF32;
  int64_t kv_heads_ = 0, head_dim_ = 0, row_bytes_ = 0, window_ = 0, context_ = 0, max_rows_ = 0,
          rolling_capacity_ = 0;
  int64_t length_ = 0;
  int64_t oldest_ = 0;  // rolling layers have overwritten what lies before it
};

}  // namespace gemma3n
