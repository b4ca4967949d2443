#include "model/text/attend_rows.h"

#include <algorithm>

#include "kernels/attention.h"

namespace gemma3n {
namespace {

// Batches of up to kSplitRows rows are split along their keys where that leaves fewer than
// kSplitItems pieces of work for each thread.
constexpr int64_t kSplitRows = 8, kSplitItems = 4;

// Work on consecutive positions of one sequence and one K/V head: all keys of them, or one block,
// whose result waits among `parts`.
struct Item {
  int64_t first = 0, rows = 0;  // of the batch
  int64_t kv_head = 0;
  bool many = false;  // of so many rows that they may be rounded
  int64_t block = -1;
  float* parts = nullptr;
};

// Segments of at least kLeastMany rows may be rounded to bfloat16, in pieces such that every thread
// gets about kPieces.
constexpr int64_t kLeastMany = 16, kPieces = 4;

bool MayRound(const Ops& ops, const TextConfig& config) {
  return ops.precision() == Precision::kAuto && HasAttendMany(ops.kernels(), config.head_dim);
}

// Whether `row` is n positions after `first`; rows that a batch has left out make gaps.
bool Follows(const BatchRow& first, const BatchRow& row, int64_t n) {
  return row.sequence == first.sequence && row.position == first.position + n;
}

class Attention {
 public:
  Attention(int64_t kv_layer, std::span<const BatchRow> rows, std::span<KvCache* const> caches,
            const ConstView& q, const View& out, const StageContext& ctx)
      : kv_layer_(kv_layer), rows_(rows), caches_(caches), q_(q), out_(out), ctx_(ctx) {}

  // The batch cut into pieces of its sequences, for every K/V head.
  std::span<Item> Cut() const {
    const auto tokens = static_cast<int64_t>(rows_.size()), heads = ctx_.config.num_kv_heads;
    const std::span<Item> items = ctx_.arena.Array<Item>(tokens * heads);
    size_t count = 0;
    for (int64_t t = 0, n; t < tokens; t += n) {
      for (n = 1; t + n < tokens && Follows(rows_[t], rows_[t + n], n);) ++n;
      const bool many = n >= kLeastMany && MayRound(ctx_.ops, ctx_.config);
      const int64_t most = many ? PieceRows(n) : kAttentionRows;
      for (int64_t r = 0; r < n; r += most) {
        for (int64_t h = 0; h < heads; ++h) {
          items[count++] = {
              .first = t + r, .rows = std::min(most, n - r), .kv_head = h, .many = many};
        }
      }
    }
    return items.first(count);
  }

  // Each item cut into its blocks of keys.
  std::span<Item> Split(std::span<const Item> items) const {
    int64_t count = 0;
    for (const Item& item : items) count += Blocks(item);
    const std::span<Item> blocks = ctx_.arena.Array<Item>(count);
    count = 0;
    for (Item item : items) {
      const int64_t first = FirstBlock(Args(item)), last = first + Blocks(item);
      item.parts = ctx_.arena.Floats((last - first) * PartFloats(item));
      for (item.block = first; item.block < last; ++item.block) blocks[count++] = item;
    }
    return blocks;
  }

  void Compute(std::span<const Item> items) const {
    int64_t floats = 0;
    for (const Item& item : items) floats = std::max(floats, ScratchFloats(item));
    const View scratch = ctx_.Tensor(ctx_.ops.pool().threads(), (floats + 15) / 16 * 16);
    ctx_.ops.ForSlots(static_cast<int64_t>(items.size()), [&](int slot, int64_t i) {
      const Item& item = items[i];
      const AttentionArgs args = Args(item);
      if (item.many) return AttendMany(ctx_.ops.kernels(), args, scratch.row(slot));
      if (item.block < 0) return Attend(ctx_.ops.kernels(), args, scratch.row(slot));
      float* part = item.parts + (item.block - FirstBlock(args)) * PartFloats(item);
      AttendBlock(ctx_.ops.kernels(), args, item.block, part, scratch.row(slot));
    });
  }

  void Merge(std::span<const Item> items) const {
    for (const Item& item : items) {
      const AttentionArgs args = Args(item);
      if (item.block == FirstBlock(args)) MergeParts(ctx_.ops.kernels(), args, item.parts);
    }
  }

 private:
  int64_t group() const { return ctx_.config.num_heads / ctx_.config.num_kv_heads; }
  // Of many: so that each thread gets some pieces, whose keys then need not be rounded often.
  int64_t PieceRows(int64_t rows) const {
    const int64_t wanted = kPieces * ctx_.ops.pool().threads() / ctx_.config.num_kv_heads;
    const int64_t piece = rows / std::max<int64_t>(1, wanted);
    return std::clamp((piece + 15) / 16 * 16, kLeastMany, kManyRows);
  }
  int64_t ScratchFloats(const Item& item) const {
    const int64_t d = ctx_.config.head_dim;
    return item.many ? AttendManyFloats(ctx_.ops.kernels(), item.rows, group(), d)
                     : AttentionScratch(item.rows, group(), d);
  }
  int64_t PartFloats(const Item& item) const {
    return AttentionPart(item.rows, group(), ctx_.config.head_dim);
  }
  int64_t Blocks(const Item& item) const {
    const AttentionArgs args = Args(item);
    return LastBlock(args) - FirstBlock(args);
  }
  AttentionArgs Args(const Item& item) const {
    const int64_t column = item.kv_head * group() * ctx_.config.head_dim;
    KvCache& cache = *caches_[rows_[item.first].sequence];
    return {.kv = cache.Head(kv_layer_, item.kv_head),
            .position = rows_[item.first].position,
            .rows = item.rows,
            .window = cache.Window(kv_layer_),
            .heads = group(),
            .q = q_.row(item.first) + column,
            .q_stride = q_.stride,
            .out = out_.row(item.first) + column,
            .out_stride = out_.stride};
  }

  int64_t kv_layer_;
  std::span<const BatchRow> rows_;
  std::span<KvCache* const> caches_;
  const ConstView& q_;
  const View& out_;
  const StageContext& ctx_;
};

bool SplitsKeys(int64_t rows, int64_t kv_heads, int64_t threads) {
  return threads > 1 && rows <= kSplitRows && rows * kv_heads < kSplitItems * threads;
}

}  // namespace

void AttendRows(int64_t kv_layer, std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                const ConstView& q, const View& out, const StageContext& ctx) {
  Arena::Scope scope(ctx.arena);
  const Attention attention(kv_layer, rows, caches, q, out, ctx);
  std::span<const Item> items = attention.Cut();
  const bool split = SplitsKeys(static_cast<int64_t>(rows.size()), ctx.config.num_kv_heads,
                                ctx.ops.pool().threads());
  if (split) items = attention.Split(items);
  attention.Compute(items);
  if (split) attention.Merge(items);
}

int64_t AttendRowsFloats(const TextConfig& c, const Ops& ops, int64_t max_rows, int64_t context) {
  const int64_t group = c.num_heads / c.num_kv_heads, d = c.head_dim;
  const int64_t split_rows = std::min(max_rows, kSplitRows), blocks = context / kKeyBlock + 2;
  const int64_t items = c.num_kv_heads * (max_rows + split_rows * blocks);
  int64_t scratch = AttentionScratch(std::min(max_rows, kAttentionRows), group, d);
  if (max_rows >= kLeastMany && MayRound(ops, c)) {
    scratch =
        std::max(scratch, AttendManyFloats(ops.kernels(), std::min(max_rows, kManyRows), group, d));
  }
  return ops.pool().threads() * ((scratch + 15) / 16 * 16) +
         split_rows * c.num_kv_heads * blocks * AttentionPart(1, group, d) +
         items * static_cast<int64_t>(sizeof(Item) / sizeof(float)) + 16 * (split_rows + 4);
}

}  // namespace gemma3n
