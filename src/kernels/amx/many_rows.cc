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

#include "kernels/amx/slab.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512/transpose.h"
#include "kernels/simd/math.h"

namespace gemma3n::amx {
namespace {

constexpr int64_t kStreamedBytes = 2 << 20;  // of y, from which it is not written to the caches

int64_t ScratchBytes(int64_t rows) { return 2 * kSlabBytes + GroupBytes(rows); }

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

// Turns sums and writes them to y.
struct RowsOf {
  static constexpr bool kKeeps = false;
  const View& y;
  bool streamed;  // past the caches, where y's lines allow it

  G3N_INLINE void Take(const Complete& at) const {
    for (int tile = 0; tile < 4; ++tile) {
      const int64_t r = tile / 2 * kStripRows, t = tile % 2 * kStripRows;
      if (r >= at.rows || t >= at.tokens) continue;
      __m512i v[16];
      G3N_UNROLL
      for (int i = 0; i < 16; ++i) v[i] = _mm512_load_si512(at.sums + tile * 256 + i * 16);
      avx512::Transpose16(v);
      const int64_t count = simd::Min(kStripRows, at.tokens - t);
      float* out = y.row(at.token + t) + at.row + r;
      if (streamed && count == kStripRows && r + kStripRows <= at.rows) {
        G3N_UNROLL
        for (int i = 0; i < 16; ++i)
          _mm512_stream_si512(reinterpret_cast<__m512i*>(out + i * y.stride), v[i]);
        continue;
      }
      const auto mask =
          static_cast<__mmask16>((uint32_t{1} << simd::Min(kStripRows, at.rows - r)) - 1);
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

// W in bfloat16, 16 whole rows at a time, which are tiles as they are stored, and at most kStrips
// times 16 rows of x. What costs time is reading W: the next rows are fetched meanwhile, in the
// order of memory. Returns the first row that it leaves to the way below.
template <int kStrips>
int64_t MultiplyStored(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed,
                       const View& y) {
  const int64_t steps = w.cols / kColumns;
  const RowsOf sink{y, false};
  const std::byte* ahead = w.row(begin);
  int64_t left = steps;  // lines of that row
  const auto fetch_tile = [&]() G3N_LAMBDA {
    for (int64_t i = 0; i < kStripRows; ++i, ahead += kStepBytes) {
      _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
      if (--left > 0) continue;
      left = steps;
      ahead += w.row_bytes - steps * kStepBytes;
    }
  };
  alignas(64) float sums[2][2 * kTileBytes / 4];
  Complete waiting;
  int64_t row = begin;
  BeginTiles();
  for (int64_t s = 0; row + kStripRows <= end && s < steps; ++s) fetch_tile();
  for (int buffer = 0; row + kStripRows <= end; row += kStripRows, buffer ^= 1) {
    const bool more = row + 2 * kStripRows <= end;
    const std::byte *tile = w.row(row), *x = packed;
    Fence();
    _tile_zero(0);
    if constexpr (kStrips == 2) _tile_zero(1);
    for (int64_t slab = 0; slab < steps; slab += kSlabSteps) {
      const int64_t count = simd::Min(kSlabSteps, steps - slab), strip = count * kTileBytes;
      for (int64_t s = 0; s < count; ++s, tile += kStepBytes, x += kTileBytes) {
        if (more) fetch_tile();
        _tile_loadd(4, tile, w.row_bytes);
        _tile_loadd(6, x, kStepBytes);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (kStrips == 2) {
          _tile_loadd(7, x + strip, kStepBytes);
          _tile_dpbf16ps(1, 4, 7);
        }
      }
      x += strip;
    }
    _tile_stored(0, sums[buffer], kStepBytes);
    if constexpr (kStrips == 2) _tile_stored(1, sums[buffer] + kTileBytes / 4, kStepBytes);
    if (waiting.sums != nullptr) sink.Take(waiting);
    waiting = {sums[buffer], row, kStripRows, 0, y.rows};
  }
  if (waiting.sums != nullptr) sink.Take(waiting);
  EndTiles();
  return row;
}

template <DType kType>
void Multiply(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed, const View& y,
              std::byte* scratch) {
  if constexpr (kType == DType::kBF16) {
    if (y.rows <= kStoredRows && w.cols % kColumns == 0) {
      begin = y.rows > kStripRows ? MultiplyStored<2>(w, begin, end, packed, y)
                                  : MultiplyStored<1>(w, begin, end, packed, y);
      if (begin == end) return;
    }
  }
  const Matrix* const matrices[] = {&w};
  auto* sums = reinterpret_cast<float*>(scratch + 2 * kSlabBytes);
  const RowsOf sink{y, Streamed(y, begin)};
  const SlabOrder order(begin, end, w.cols);
  ForSlabs<kType>(matrices, order, scratch,
                  [&](const Slab& at, const std::byte* tiles, auto& ahead) G3N_LAMBDA {
                    const bool last = at.slab + 1 == order.slabs;
                    MultiplySlab(at, last, tiles, packed, y.rows, sums, sink, ahead);
                  });
  if (sink.streamed) _mm_sfence();  // before another thread is told that y is there
}

constexpr ManyRowsKernels Make() {
  ManyRowsKernels k = {kMostRows, kPanelRows, PackedBytes, ScratchBytes,  Pack,
                       PackGated, {},         kGroupRows,  &kGatedKernels};
  ForTypes([&]<DType kType> { k.multiply[static_cast<int>(kType)] = Multiply<kType>; });
  return k;
}

}  // namespace

constinit const ManyRowsKernels kManyRowsKernels = Make();

}  // namespace gemma3n::amx
