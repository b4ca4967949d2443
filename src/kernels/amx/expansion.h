// The order in which a range of W's rows is multiplied, and its slabs made tiles little by little.
#pragma once

#include "kernels/amx/expand.h"
#include "kernels/many_rows.h"

namespace gemma3n::amx {

static constexpr int64_t kColumns = 32, kSlabSteps = kManyRowsSlab / kColumns;
static constexpr int64_t kGroupPanels = 8, kGroupRows = kGroupPanels * kPanelRows;

static G3N_INLINE int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static G3N_INLINE int64_t Slabs(int64_t cols) { return CeilDiv(cols, kManyRowsSlab); }
// Columns and steps of a slab.
static G3N_INLINE int64_t SlabCols(int64_t cols, int64_t slab) {
  return simd::Min(kManyRowsSlab, cols - slab * kManyRowsSlab);
}
static G3N_INLINE int64_t Steps(int64_t slab_cols) { return CeilDiv(slab_cols, kColumns); }

// A group of a matrix' rows, a slab of their columns.
struct Slab {
  int64_t matrix = 0, row = 0, rows = 0, slab = 0, cols = 0, steps = 0;
};

// The slabs of a range of rows, group after group; of two matrices of one shape, a group of the
// first and the same of the second in turns.
struct SlabOrder {
  int64_t begin, end, cols, matrices, slabs;

  SlabOrder(int64_t b, int64_t e, int64_t c, int64_t m = 1)
      : begin(b), end(e), cols(c), matrices(m), slabs(Slabs(c)) {}
  int64_t count() const { return CeilDiv(end - begin, kGroupRows) * slabs * matrices; }
  G3N_INLINE Slab operator[](int64_t i) const {
    Slab s;
    s.matrix = i / slabs % matrices;
    s.row = begin + i / (slabs * matrices) * kGroupRows;
    s.rows = simd::Min(kGroupRows, end - s.row);
    s.slab = i % slabs;
    s.cols = SlabCols(cols, s.slab);
    s.steps = Steps(s.cols);
    return s;
  }
};

// Expands one slab, little by little. Rows that are missing in the last panel keep what was there:
// their sums are not used.
template <DType kType>
class Expansion {
  using E = Expander<kType>;

 public:
  // w: as many as the order has matrices.
  Expansion(const Matrix* const* w, const SlabOrder& order) : w_(w), order_(order) {}

  G3N_INLINE void Start(int64_t i, std::byte* tiles) {
    at_ = order_[i];
    tiles_ = tiles;
    row_ = 0;
    pieces_ = at_.cols / (kColumns * E::kSteps);
    OpenRow();
  }

  // A little of what is left, while other work goes on: `step` is its.
  G3N_INLINE void Some(int64_t step) {
    if (row_ >= at_.rows) return;
    if constexpr (E::kSteps > 1) {
      if (step % 4 == 0) Next();
    } else {
      if (pieces_ == 0 || pieces_ % 2 != 0) return;
      Next();
      Next();
      if (piece_ == pieces_) CloseRow();
      return;
    }
    if (piece_ == pieces_) CloseRow();
  }

  // All that is left.
  G3N_INLINE void Finish() {
    while (row_ < at_.rows) {
      while (piece_ < pieces_) Next();
      CloseRow();
    }
  }

 private:
  static constexpr int64_t kRowsAhead = 4;
  static constexpr int64_t kSlabStored = kSlabSteps / E::kSteps * E::kBytes;

  G3N_INLINE void OpenRow() {
    piece_ = 0;
    const Matrix& w = *w_[at_.matrix];
    src_ = w.row(at_.row + row_) + at_.slab * kSlabStored;
    dst_ = tiles_ + row_ / kStripRows * at_.steps * kTileBytes + row_ % kStripRows * kStepBytes;
    // Of rows that are a kilobyte and more apart the processor fetches nothing ahead by itself.
    const auto* ahead = reinterpret_cast<const char*>(src_ + kRowsAhead * w.row_bytes);
    for (int64_t b = 0; b < kSlabStored; b += 64) _mm_prefetch(ahead + b, _MM_HINT_T0);
  }
  G3N_INLINE void Next() {
    E::Piece(src_, dst_);
    src_ += E::kBytes;
    dst_ += E::kSteps * kTileBytes;
    ++piece_;
  }
  G3N_INLINE void CloseRow() {
    if constexpr (E::kPlain) {
      if (at_.cols % kColumns != 0) E::Tail(src_, at_.cols % kColumns, dst_);
    }
    if (++row_ < at_.rows) OpenRow();
  }

  const Matrix* const* w_;
  const SlabOrder& order_;
  Slab at_;
  std::byte* tiles_ = nullptr;
  int64_t row_ = 0, piece_ = 0, pieces_ = 0;
  const std::byte* src_ = nullptr;
  std::byte* dst_ = nullptr;
};

}  // namespace gemma3n::amx
