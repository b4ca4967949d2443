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

#include "kernels/amx/expansion.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512/transpose.h"
#include "kernels/simd/math.h"

namespace gemma3n::amx {
namespace {

constexpr int64_t kMostRows = 512;
constexpr int64_t kSlabBytes = kGroupRows / kStripRows * kSlabSteps * kTileBytes;
constexpr int64_t kSumBytes = 4 * kTileBytes;  // of a panel and 32 rows of x
constexpr int64_t kStreamedBytes = 2 << 20;    // of y, from which it is not written to the caches

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

// Of rows that are far apart the processor fetches little ahead by itself.
G3N_INLINE const float* FetchedAhead(const float* p) {
  constexpr int64_t kAhead = 128;
  _mm_prefetch(reinterpret_cast<const char*>(p + kAhead), _MM_HINT_T0);
  return p;
}

// What is packed: x itself, or gelu(gate) * up.
struct Plain {
  const ConstView& x;
  G3N_INLINE __m512 Load(int64_t row, int64_t col, __mmask16 mask) const {
    return _mm512_maskz_loadu_ps(mask, FetchedAhead(x.row(row) + col));
  }
};
struct Gated {
  const ConstView &x, &up;
  G3N_INLINE __m512 Load(int64_t row, int64_t col, __mmask16 mask) const {
    const __m512 gate = _mm512_maskz_loadu_ps(mask, FetchedAhead(x.row(row) + col));
    return _mm512_mul_ps(simd::Gelu<ExpandSimd>(gate),
                         _mm512_maskz_loadu_ps(mask, FetchedAhead(up.row(row) + col)));
  }
};

// Sixteen rows x 32 columns, of which some may be missing.
template <class Input>
G3N_INLINE void PackTile(const Input& in, int64_t row, int64_t col, std::byte* tile) {
  const int64_t rows = in.x.rows - row, cols = simd::Min(kColumns, in.x.cols - col);
  const auto low = static_cast<__mmask16>((uint32_t{1} << simd::Min(cols, 16)) - 1);
  const auto high = static_cast<__mmask16>(cols > 16 ? (uint32_t{1} << (cols - 16)) - 1 : 0);
  alignas(64) __m512i v[16];
  for (int i = 0; i < 16; ++i) {
    v[i] = i < rows ? (__m512i)_mm512_cvtne2ps_pbh(in.Load(row + i, col + 16, high),
                                                   in.Load(row + i, col, low))
                    : _mm512_setzero_si512();
  }
  avx512::Transpose16(v);
  G3N_UNROLL
  for (int i = 0; i < 16; ++i) _mm512_store_si512(tile + i * kStepBytes, v[i]);
}

template <class Input>
G3N_INLINE void PackSlab(const Input& in, int64_t row, int64_t slab, std::byte* packed) {
  const int64_t steps = Steps(SlabCols(in.x.cols, slab));
  std::byte* pair = packed + SlabStart(in.x.rows, slab) + row / kStripRows * steps * kTileBytes;
  for (int64_t strip = 0; strip < 2; ++strip) {
    for (int64_t s = 0; s < steps; ++s) {
      PackTile(in, row + strip * kStripRows, slab * kManyRowsSlab + s * kColumns,
               pair + (strip * steps + s) * kTileBytes);
    }
  }
}

void Pack(const ConstView& x, int64_t row, int64_t slab, std::byte* packed) {
  PackSlab(Plain{x}, row, slab, packed);
}
void PackGated(const ConstView& gate, const ConstView& up, int64_t row, int64_t slab,
               std::byte* packed) {
  PackSlab(Gated{gate, up}, row, slab, packed);
}

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
  Fence();
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
  ManyRowsKernels k = {kMostRows, kPanelRows, PackedBytes, ScratchBytes,
                       Pack,      PackGated,  {},          kGroupRows};
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
