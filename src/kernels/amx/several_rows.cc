// Nine to 16 rows of x, the steps of as many answers, with Q4_0 weights by AMX-INT8. At so few rows
// what costs time is making weights what the tile unit takes; four-bit integers are made bytes with
// three instructions for 32 of them, where bfloat16 takes a table for every block.
//
// x is rounded to 12 bits in slabs of 128 columns: 16 hi + lo, two signed bytes, and a scale of
// max |x| / 2032. A tile of W is 16 of its rows x one block of 32, twice: w and 16 w, so that one
// instruction adds w lo and 16 w hi, exactly. Blocks' sums count the scales of W and are added in
// float32, the slab's sum counts x's; slabs are added in ascending order, whatever the cut.
//
// While the tile unit multiplies a strip of 16 rows of W, the vector units expand the next one and
// scale the sums of the one before.
#include "kernels/amx/tiles.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512/transpose.h"
#include "kernels/blocks.h"
#include "kernels/many_rows.h"

namespace gemma3n::amx {
namespace {

constexpr int64_t kStrip = kSeveralRows, kBlock = 32;
constexpr int64_t kSlabBlocks = 4, kGroupStrips = 4, kGroupRows = kGroupStrips * kStrip;
constexpr float kMaximum = 2032;  // (2032 + 8) >> 4 is 127

G3N_INLINE int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Sixteen rows of x, a slab of blocks, in each four columns of each row, then the next four; lo
// before hi.
struct PackedBlock {
  int8_t lo[kBlock / 4][kStrip][4], hi[kBlock / 4][kStrip][4];
};
struct alignas(64) PackedSlab {
  PackedBlock blocks[kSlabBlocks];
  float scales[kStrip];
};

G3N_INLINE int64_t Slabs(int64_t cols) { return CeilDiv(cols, kSlabBlocks * kBlock); }

int64_t PackedBytes(int64_t, int64_t cols) {
  return Slabs(cols) * static_cast<int64_t>(sizeof(PackedSlab));
}

constexpr int64_t kTileStride = kSlabBlocks * kStepBytes + kStepBytes;

// A strip of W in a slab, ready for the tile unit, and its scales.
struct alignas(64) Weights {
  std::byte tiles[kStrip][kTileStride];  // a row of each block beside each other
  uint16_t halves[kStrip][kSlabBlocks];
  float scales[kSlabBlocks][kStrip];
};
struct alignas(64) Sums {
  int32_t blocks[kSlabBlocks][kStrip][kStrip];  // rows of W, rows of x
};
struct alignas(64) Scratch {
  Weights weights[2];
  Sums sums[2];
  float waiting[kGroupStrips][kStrip][kStrip];  // between slabs
};

int64_t ScratchBytes(int64_t) { return sizeof(Scratch); }

// `count` values of one row of x, a multiple of a block, to place `t` of a slab.
G3N_INLINE void PackRow(const float* x, int64_t count, int64_t t, PackedSlab& out) {
  // The magnitudes' bits are ordered as the magnitudes are, infinity and then NaN above all.
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i most = _mm512_setzero_si512();
  for (int64_t i = 0; i < count; i += 16) {
    most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_loadu_si512(x + i), magnitude));
  }
  const uint32_t largest = _mm512_reduce_max_epu32(most);
  const bool finite = largest < 0x7f800000, counts = finite && largest >= 0x0d800000;  // 2^-100
  float maximum;
  std::memcpy(&maximum, &largest, sizeof(maximum));
  const __m512 inverse = _mm512_set1_ps(counts ? kMaximum / maximum : 0.0f);
  out.scales[t] = counts ? maximum / kMaximum : finite ? 0.0f : __builtin_nanf("");
  for (int64_t i = 0; i < count; i += 16) {
    const __m512i q = counts ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), inverse))
                             : _mm512_setzero_si512();
    const __m512i upper = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(8)), 4);
    const __m512i lower = _mm512_sub_epi32(q, _mm512_slli_epi32(upper, 4));
    PackedBlock& block = out.blocks[i / kBlock];
    alignas(16) int32_t lo[4], hi[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(lo), _mm512_cvtepi32_epi8(lower));
    _mm_store_si128(reinterpret_cast<__m128i*>(hi), _mm512_cvtepi32_epi8(upper));
    for (int64_t four = 0; four < 4; ++four) {
      const int64_t at = i % kBlock / 4 + four;
      std::memcpy(block.lo[at][t], &lo[four], 4);
      std::memcpy(block.hi[at][t], &hi[four], 4);
    }
  }
}

// Rows of x that are missing keep what was there: nothing of theirs is used.
void Pack(const ConstView& x, int64_t, int64_t slab, std::byte* packed) {
  constexpr int64_t kCols = kSlabBlocks * kBlock, kInOne = kManyRowsSlab / kCols;
  auto* out = reinterpret_cast<PackedSlab*>(packed);
  const int64_t last = simd::Min(Slabs(x.cols), (slab + 1) * kInOne);
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t s = slab * kInOne; s < last; ++s) {
      PackRow(x.row(t) + s * kCols, simd::Min(kCols, x.cols - s * kCols), t, out[s]);
    }
  }
}

// Where in W and x a strip of a slab lies.
struct Item {
  int64_t row = 0, rows = 0;         // of W
  int64_t block = 0, blocks = 0;     // of the columns
  int64_t strip = 0;                 // in its group
  bool first = false, last = false;  // slab of the columns
};

// The items of a range of rows: group after group, in each slab after slab.
class Order {
 public:
  Order(int64_t begin, int64_t end, int64_t blocks)
      : begin_(begin), end_(end), blocks_(blocks), slabs_(CeilDiv(blocks, kSlabBlocks)) {}
  G3N_INLINE bool Done() const { return begin_ + group_ * kGroupRows >= end_; }
  G3N_INLINE Item Next() {
    const int64_t group = begin_ + group_ * kGroupRows;
    Item item;
    item.row = group + strip_ * kStrip;
    item.rows = simd::Min(kStrip, end_ - item.row);
    item.block = slab_ * kSlabBlocks;
    item.blocks = simd::Min(kSlabBlocks, blocks_ - item.block);
    item.strip = strip_;
    item.first = slab_ == 0;
    item.last = slab_ + 1 == slabs_;
    if (++strip_ == simd::Min(kGroupStrips, CeilDiv(end_ - group, kStrip))) {
      strip_ = 0;
      if (++slab_ == slabs_) {
        slab_ = 0;
        ++group_;
      }
    }
    return item;
  }

 private:
  int64_t begin_, end_, blocks_, slabs_, group_ = 0, slab_ = 0, strip_ = 0;
};

// Where the rows of a strip lie, from its first one; rows that are missing are the last one again.
struct Rows {
  const std::byte* first = nullptr;
  int64_t row_bytes = 0, rows = 0;
  const std::byte* ahead = nullptr;  // what is expanded a slab later
  int64_t blocks = 0;
  __mmask32 words = 0;  // of 32, those that belong to the slab

  G3N_INLINE Rows(const Matrix& w, const Item& item) {
    constexpr int64_t kBytes = sizeof(BlockQ4_0);
    first = w.row(item.row) + item.block * kBytes;
    row_bytes = w.row_bytes;
    rows = item.rows;
    blocks = item.blocks;
    words = static_cast<__mmask32>((uint64_t{1} << simd::Min(32, 9 * blocks)) - 1);
    // The same row's next slab, or the next group's first one.
    ahead = item.last ? w.row(item.row + kGroupRows) : first + kSlabBlocks * kBytes;
  }
  G3N_INLINE int64_t Offset(int64_t i) const { return simd::Min(i, rows - 1) * row_bytes; }
};

// A block of a row.
G3N_INLINE void ExpandBlock(const std::byte* src, std::byte* dst) {
  const __m512i turn = _mm512_setr_epi64(0, 0, 60, 60, 4, 4, 0, 0);
  const __m512i kept = _mm512_setr_epi64(0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f,
                                         0x0f0f0f0f0f0f0f0f, 0xf0f0f0f0f0f0f0f0, 0xf0f0f0f0f0f0f0f0,
                                         0xf0f0f0f0f0f0f0f0, 0xf0f0f0f0f0f0f0f0);
  const __m512i centre = _mm512_setr_epi64(
      0x0808080808080808, 0x0808080808080808, 0x0808080808080808, 0x0808080808080808,
      0x8080808080808080, 0x8080808080808080, 0x8080808080808080, 0x8080808080808080);
  const __m512i q =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + 2)));
  const __m512i bytes = _mm512_and_si512(_mm512_rolv_epi64(q, turn), kept);
  _mm512_store_si512(dst, _mm512_sub_epi8(bytes, centre));
}

G3N_INLINE void ExpandRow(const Rows& rows, int64_t i, Weights& out) {
  constexpr int64_t kBytes = sizeof(BlockQ4_0);
  const int64_t offset = rows.Offset(i);
  const auto* ahead = reinterpret_cast<const char*>(rows.ahead + offset);
  _mm_prefetch(ahead, _MM_HINT_T0);
  _mm_prefetch(ahead + 64, _MM_HINT_T0);
  const std::byte* src = rows.first + offset;
  std::byte* dst = out.tiles[i];
  // The blocks' scales: words 0, 9, 18 and 27.
  const __m512i first = _mm512_maskz_loadu_epi16(rows.words, src);
  const __m512i at = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 0, 0, 0, 0));
  _mm_storeu_si64(out.halves[i], _mm512_castsi512_si128(_mm512_permutexvar_epi16(at, first)));
  if (rows.blocks == kSlabBlocks) {
    G3N_UNROLL
    for (int64_t b = 0; b < kSlabBlocks; ++b) ExpandBlock(src + b * kBytes, dst + b * kStepBytes);
  } else {
    for (int64_t b = 0; b < rows.blocks; ++b) ExpandBlock(src + b * kBytes, dst + b * kStepBytes);
  }
}

G3N_INLINE void ExpandStrip(const Matrix& w, const Item& item, Weights& out) {
  const Rows rows(w, item);
  for (int64_t i = 0; i < kStrip; ++i) ExpandRow(rows, i, out);
}

// Halves of [row of W][block] to floats of [block][row of W].
G3N_INLINE void TurnScales(const uint16_t (&halves)[kStrip][kSlabBlocks],
                           float (&scales)[kSlabBlocks][kStrip]) {
  const __m512i low = _mm512_load_si512(halves[0]), high = _mm512_load_si512(halves[8]);
  // Word 4 row + block; the second vector's words count from 32.
  const __m512i first =
      _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                       60, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16, 12, 8, 4, 0);
  G3N_UNROLL
  for (int b = 0; b < kSlabBlocks; ++b) {
    const __m512i at = _mm512_add_epi16(first, _mm512_set1_epi16(static_cast<int16_t>(b)));
    const __m256i words = _mm512_castsi512_si256(_mm512_permutex2var_epi16(low, at, high));
    _mm512_store_ps(scales[b], _mm512_cvtph_ps(words));
  }
}

// The products of a slab: a block in each of four registers (which are part of the instructions).
// They take their time, so what is to be stored waits until other work is done.
#define G3N_DOT(sum, left, right)                                  \
  do {                                                             \
    if (sum >= blocks) break;                                      \
    _tile_zero(sum);                                               \
    _tile_loadd(left, &w.tiles[0][sum * kStepBytes], kTileStride); \
    _tile_loadd(right, &x.blocks[sum], kStepBytes);                \
    _tile_dpbssd(sum, left, right);                                \
  } while (false)
G3N_INLINE void Dot(const Weights& w, const PackedSlab& x, int64_t blocks) {
  Fence();
  G3N_DOT(0, 4, 6);
  G3N_DOT(1, 5, 7);
  G3N_DOT(2, 4, 6);
  G3N_DOT(3, 5, 7);
}
#undef G3N_DOT
#define G3N_STORE(sum) \
  if (sum < blocks) _tile_stored(sum, sums.blocks[sum], kStepBytes)
G3N_INLINE void Store(int64_t blocks, Sums& sums) {
  G3N_STORE(0);
  G3N_STORE(1);
  G3N_STORE(2);
  G3N_STORE(3);
}
#undef G3N_STORE

// Adds a slab's sums, times both scales.
G3N_INLINE void Add(const Sums& sums, const Weights& w, const PackedSlab& x, int64_t blocks,
                    __m512 (&total)[kStrip]) {
  const __m512 scale = _mm512_load_ps(x.scales);
  const auto sum = [&](int64_t b, int r) G3N_LAMBDA {
    return _mm512_cvtepi32_ps(_mm512_load_si512(sums.blocks[b][r]));
  };
  G3N_UNROLL
  for (int r = 0; r < kStrip; ++r) {
    __m512 slab = _mm512_mul_ps(sum(0, r), _mm512_set1_ps(w.scales[0][r]));
    if (blocks == kSlabBlocks) {
      G3N_UNROLL
      for (int b = 1; b < kSlabBlocks; ++b)
        slab = _mm512_fmadd_ps(sum(b, r), _mm512_set1_ps(w.scales[b][r]), slab);
    } else {
      for (int64_t b = 1; b < blocks; ++b)
        slab = _mm512_fmadd_ps(sum(b, r), _mm512_set1_ps(w.scales[b][r]), slab);
    }
    total[r] = _mm512_fmadd_ps(slab, scale, total[r]);
  }
}

// Totals of 16 rows of W (vectors) and 16 rows of x (lanes), to y.
G3N_INLINE void Write(const View& y, const Item& item, __m512 (&total)[kStrip]) {
  __m512i v[kStrip];
  G3N_UNROLL
  for (int i = 0; i < kStrip; ++i) v[i] = _mm512_castps_si512(total[i]);
  avx512::Transpose16(v);
  const auto mask = static_cast<__mmask16>((uint32_t{1} << item.rows) - 1);
  G3N_UNROLL
  for (int i = 0; i < kStrip; ++i) {
    if (i < y.rows) _mm512_mask_storeu_epi32(y.row(i) + item.row, mask, v[i]);
  }
}

void Multiply(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed, const View& y,
              std::byte* memory) {
  auto& scratch = *reinterpret_cast<Scratch*>(memory);
  const auto* x = reinterpret_cast<const PackedSlab*>(packed);
  Order order(begin, end, w.cols / kBlock);
  if (order.Done()) return;
  // Adds the sums of an item that was multiplied; the last slab's totals go to y.
  const auto add = [&](const Item& item, const Sums& sums, const Weights& weights) G3N_LAMBDA {
    float(&waiting)[kStrip][kStrip] = scratch.waiting[item.strip];
    __m512 total[kStrip];
    G3N_UNROLL
    for (int r = 0; r < kStrip; ++r)
      total[r] = item.first ? _mm512_setzero_ps() : _mm512_load_ps(waiting[r]);
    Add(sums, weights, x[item.block / kSlabBlocks], item.blocks, total);
    if (item.last) return Write(y, item, total);
    G3N_UNROLL
    for (int r = 0; r < kStrip; ++r) _mm512_store_ps(waiting[r], total[r]);
  };

  Item now = order.Next(), before;
  ExpandStrip(w, now, scratch.weights[0]);
  BeginTiles();
  for (int64_t n = 0;; ++n) {
    Weights &weights = scratch.weights[n % 2], &other = scratch.weights[(n + 1) % 2];
    Sums &sums = scratch.sums[n % 2], &other_sums = scratch.sums[(n + 1) % 2];
    Dot(weights, x[now.block / kSlabBlocks], now.blocks);
    const bool more = !order.Done();
    const Item next = more ? order.Next() : Item();
    if (more) ExpandStrip(w, next, other);  // which leaves the scales as they were
    if (n > 0) add(before, other_sums, other);
    TurnScales(weights.halves, weights.scales);
    Store(now.blocks, sums);
    if (!more) {
      add(now, sums, weights);
      break;
    }
    before = now;
    now = next;
  }
  EndTiles();
}

constexpr ManyRowsKernels Make() {
  ManyRowsKernels k = {kStrip, kStrip, PackedBytes, ScratchBytes, Pack, nullptr, {}, kGroupRows};
  k.multiply[static_cast<int>(DType::kQ4_0)] = Multiply;
  return k;
}

}  // namespace

constinit const ManyRowsKernels kSeveralRowsKernels = Make();

}  // namespace gemma3n::amx
