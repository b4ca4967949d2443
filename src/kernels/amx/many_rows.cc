// Many rows by AMX-BF16. Both factors are rounded to bfloat16 (denormals to zero), sums are
// float32: 32 columns at a time, in ascending order, whatever the cut.
//
// A tile of W is 16 of its rows x 32 columns, row after row: the first operand. A tile of x is the
// transpose of 16 rows x 32 columns in pairs of columns: the second. The sums are then a piece of
// y transposed, which is turned when it is complete. Up to 8 panels of 32 rows of W, a slab of 512
// columns of them at a time, lie in the second-level cache; two tiles' width of x, as long, in the
// first. While a slab is multiplied the next one is expanded: the tile unit leaves the vector
// units idle.
#include "kernels/many_rows.h"

#include "kernels/amx/expand.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512/transpose.h"

namespace gemma3n::amx {
namespace {

constexpr int64_t kColumns = 32, kSlabSteps = kManyRowsSlab / kColumns;
constexpr int64_t kMostRows = 512, kGroupPanels = 8, kGroupRows = kGroupPanels * kPanelRows;
constexpr int64_t kSlabBytes = kGroupRows / kStripRows * kSlabSteps * kTileBytes;
constexpr int64_t kSumBytes = 4 * kTileBytes;  // of a panel and 32 rows of x
constexpr int64_t kStreamedBytes = 2 << 20;    // of y, from which it is not written to the caches

G3N_INLINE int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
G3N_INLINE int64_t Slabs(int64_t cols) { return CeilDiv(cols, kManyRowsSlab); }
// Columns and steps of a slab.
G3N_INLINE int64_t SlabCols(int64_t cols, int64_t slab) {
  return simd::Min(kManyRowsSlab, cols - slab * kManyRowsSlab);
}
G3N_INLINE int64_t Steps(int64_t slab_cols) { return CeilDiv(slab_cols, kColumns); }

// Packed x: slab after slab, in each the pairs of 16 rows.
int64_t PackedBytes(int64_t rows, int64_t cols) {
  return CeilDiv(rows, kPanelRows) * 2 * CeilDiv(cols, kColumns) * kTileBytes;
}
G3N_INLINE int64_t SlabStart(int64_t rows, int64_t slab) {
  return PackedBytes(rows, slab * kManyRowsSlab);
}

int64_t ScratchBytes(int64_t rows) {
  return 2 * kSlabBytes + CeilDiv(rows, kPanelRows) * kGroupPanels * kSumBytes;
}

// Sixteen rows x 32 columns, of which some may be missing.
G3N_INLINE void PackTile(const ConstView& x, int64_t row, int64_t col, std::byte* tile) {
  const int64_t rows = x.rows - row, cols = simd::Min(kColumns, x.cols - col);
  const auto low = static_cast<__mmask16>((uint32_t{1} << simd::Min(cols, 16)) - 1);
  const auto high = static_cast<__mmask16>(cols > 16 ? (uint32_t{1} << (cols - 16)) - 1 : 0);
  __m512i v[16];
  G3N_UNROLL
  for (int i = 0; i < 16; ++i) {
    if (i < rows) {
      const float* src = x.row(row + i) + col;
      v[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, src + 16),
                                          _mm512_maskz_loadu_ps(low, src));
    } else {
      v[i] = _mm512_setzero_si512();
    }
  }
  avx512::Transpose16(v);
  G3N_UNROLL
  for (int i = 0; i < 16; ++i) _mm512_store_si512(tile + i * kStepBytes, v[i]);
}

void Pack(const ConstView& x, int64_t row, int64_t slab, std::byte* packed) {
  const int64_t steps = Steps(SlabCols(x.cols, slab));
  std::byte* pair = packed + SlabStart(x.rows, slab) + row / kStripRows * steps * kTileBytes;
  for (int64_t strip = 0; strip < 2; ++strip) {
    for (int64_t s = 0; s < steps; ++s) {
      PackTile(x, row + strip * kStripRows, slab * kManyRowsSlab + s * kColumns,
               pair + (strip * steps + s) * kTileBytes);
    }
  }
}

// A group of W's rows, a slab of their columns.
struct Slab {
  int64_t row = 0, rows = 0, slab = 0, cols = 0, steps = 0;
};

// The slabs of a range of rows, group after group.
struct SlabOrder {
  int64_t begin, end, cols, slabs, at = 0;

  SlabOrder(int64_t b, int64_t e, int64_t c) : begin(b), end(e), cols(c), slabs(Slabs(c)) {}
  int64_t count() const { return CeilDiv(end - begin, kGroupRows) * slabs; }
  G3N_INLINE Slab operator[](int64_t i) const {
    Slab s;
    s.row = begin + i / slabs * kGroupRows;
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
  Expansion(const Matrix& w, const SlabOrder& order) : w_(w), order_(order) {}

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
    src_ = w_.row(at_.row + row_) + at_.slab * kSlabStored;
    dst_ = tiles_ + row_ / kStripRows * at_.steps * kTileBytes + row_ % kStripRows * kStepBytes;
    // Of rows that are a kilobyte and more apart the processor fetches nothing ahead by itself.
    const auto* ahead = reinterpret_cast<const char*>(src_ + kRowsAhead * w_.row_bytes);
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

  const Matrix& w_;
  const SlabOrder& order_;
  Slab at_;
  std::byte* tiles_ = nullptr;
  int64_t row_ = 0, piece_ = 0, pieces_ = 0;
  const std::byte* src_ = nullptr;
  std::byte* dst_ = nullptr;
};

// The sums of a panel and 32 rows of x that wait to be turned and written.
struct Turned {
  const float* sums = nullptr;  // tiles (rows of W) x (rows of x): 0 0, 0 1, 1 0, 1 1
  int64_t row = 0, rows = 0, token = 0, tokens = 0;

  // streamed: past the caches, where y's lines allow it.
  G3N_INLINE void Write(const View& y, bool streamed) const {
    for (int tile = 0; tile < 4; ++tile) {
      const int64_t r = tile / 2 * kStripRows, t = tile % 2 * kStripRows;
      if (r >= rows || t >= tokens) continue;
      __m512i v[16];
      G3N_UNROLL
      for (int i = 0; i < 16; ++i) v[i] = _mm512_load_si512(sums + tile * 256 + i * 16);
      avx512::Transpose16(v);
      const int64_t count = simd::Min(kStripRows, tokens - t);
      float* out = y.row(token + t) + row + r;
      if (streamed && count == kStripRows && r + kStripRows <= rows) {
        G3N_UNROLL
        for (int i = 0; i < 16; ++i)
          _mm512_stream_si512(reinterpret_cast<__m512i*>(out + i * y.stride), v[i]);
        continue;
      }
      const auto mask =
          static_cast<__mmask16>((uint32_t{1} << simd::Min(kStripRows, rows - r)) - 1);
      G3N_UNROLL
      for (int i = 0; i < 16; ++i) {
        if (i < count) _mm512_mask_storeu_epi32(out + i * y.stride, mask, v[i]);
      }
    }
  }
};

// Whether y is so large that it leaves the caches anyway, and vectors of its rows fill lines.
G3N_INLINE bool Streamed(const View& y, int64_t begin) {
  return y.rows * y.cols * 4 >= kStreamedBytes && y.stride % 16 == 0 &&
         reinterpret_cast<uintptr_t>(y.data + begin) % 64 == 0;
}

// sums of one panel += W x over a slab. Registers 0 .. 3: sums, W's rows 0 .. 15 before 16 .. 31.
template <int kStrips, class Side>
G3N_INLINE void MultiplyPanel(const std::byte* w, const std::byte* x, int64_t steps,
                              const float* sums, float* out, const Side& side) {
  const int64_t strip = steps * kTileBytes;
  constexpr int kSum = kTileBytes / 4;  // floats of a tile
  if (sums == nullptr) {
    _tile_zero(0);
    _tile_zero(2);
    if constexpr (kStrips == 2) {
      _tile_zero(1);
      _tile_zero(3);
    }
  } else {
    _tile_loadd(0, sums, kStepBytes);
    _tile_loadd(2, sums + 2 * kSum, kStepBytes);
    if constexpr (kStrips == 2) {
      _tile_loadd(1, sums + kSum, kStepBytes);
      _tile_loadd(3, sums + 3 * kSum, kStepBytes);
    }
  }
  for (int64_t s = 0; s < steps; ++s, w += kTileBytes, x += kTileBytes) {
    side(s);
    _tile_stream_loadd(4, w, kStepBytes);
    _tile_loadd(6, x, kStepBytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kStrips == 2) {
      _tile_loadd(7, x + strip, kStepBytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stream_loadd(5, w + strip, kStepBytes);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kStrips == 2) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, out, kStepBytes);
  _tile_stored(2, out + 2 * kSum, kStepBytes);
  if constexpr (kStrips == 2) {
    _tile_stored(1, out + kSum, kStepBytes);
    _tile_stored(3, out + 3 * kSum, kStepBytes);
  }
}

// One slab of a group for all rows of x. Sums wait in `sums`; the last slab's are written to y.
template <class Ahead>
G3N_INLINE void MultiplySlab(const Slab& at, bool last, const std::byte* tiles,
                             const std::byte* packed, float* sums, const View& y, bool streamed,
                             Ahead& ahead) {
  alignas(64) float turning[2][kSumBytes / 4];
  Turned waiting;
  const int64_t pair_bytes = 2 * at.steps * kTileBytes, panels = CeilDiv(at.rows, kPanelRows);
  const std::byte* x = packed + SlabStart(y.rows, at.slab);
  int buffer = 0;
  for (int64_t t = 0; t < y.rows; t += kPanelRows, x += pair_bytes) {
    const std::byte* next_x = x + pair_bytes;
    for (int64_t p = 0; p < panels; ++p) {
      float* sum = sums + (t / kPanelRows * kGroupPanels + p) * (kSumBytes / 4);
      float* out = last ? turning[buffer] : sum;
      const auto* next_sum = reinterpret_cast<const char*>(sum + kSumBytes / 4);
      const auto side = [&](int64_t s) G3N_LAMBDA {
        G3N_UNROLL
        for (int i = 0; i < 4; ++i) {
          _mm_prefetch(next_sum + (s * 4 + i) * 64, _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char*>(next_x) + i * 64, _MM_HINT_T1);
        }
        next_x += 256;
        ahead.Some(s);
      };
      const std::byte* w = tiles + p * pair_bytes;
      const float* from = at.slab == 0 ? nullptr : sum;
      if (y.rows - t > kStripRows) {
        MultiplyPanel<2>(w, x, at.steps, from, out, side);
      } else {
        MultiplyPanel<1>(w, x, at.steps, from, out, side);
      }
      if (!last) continue;
      waiting.Write(y, streamed);
      waiting = {turning[buffer], at.row + p * kPanelRows,
                 simd::Min(kPanelRows, at.rows - p * kPanelRows), t,
                 simd::Min(kPanelRows, y.rows - t)};
      buffer ^= 1;
    }
  }
  if (last) waiting.Write(y, streamed);
}

template <DType kType>
void Multiply(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed, const View& y,
              std::byte* scratch) {
  const SlabOrder order(begin, end, w.cols);
  Expansion<kType> ahead(w, order);
  auto* sums = reinterpret_cast<float*>(scratch + 2 * kSlabBytes);
  BeginTiles();
  const int64_t count = order.count();
  const bool streamed = Streamed(y, begin);
  ahead.Start(0, scratch);
  ahead.Finish();
  for (int64_t i = 0; i < count; ++i) {
    const std::byte* tiles = scratch + i % 2 * kSlabBytes;
    if (i + 1 < count) ahead.Start(i + 1, scratch + (i + 1) % 2 * kSlabBytes);
    const Slab at = order[i];
    MultiplySlab(at, at.slab + 1 == order.slabs, tiles, packed, sums, y, streamed, ahead);
    ahead.Finish();
  }
  EndTiles();
  if (streamed) _mm_sfence();  // before another thread is told that y is there
}

constexpr ManyRowsKernels Make() {
  ManyRowsKernels k = {kMostRows, kPanelRows, PackedBytes, ScratchBytes, Pack, {}, kGroupRows};
#define G3N_TYPE(type) k.multiply[static_cast<int>(DType::type)] = Multiply<DType::type>
  G3N_TYPE(kF32);
  G3N_TYPE(kF16);
  G3N_TYPE(kBF16);
  G3N_TYPE(kQ8_0);
  G3N_TYPE(kQ4_0);
  G3N_TYPE(kQ4_1);
  G3N_TYPE(kQ5_0);
  G3N_TYPE(kQ5_1);
  G3N_TYPE(kQ4_K);
  G3N_TYPE(kQ5_K);
  G3N_TYPE(kQ6_K);
  G3N_TYPE(kIQ4_NL);
  G3N_TYPE(kIQ4_XS);
#undef G3N_TYPE
  return k;
}

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = Make();

}  // namespace gemma3n::amx
