// float32 by AMX-BF16. A float32 is the sum of three bfloat16 parts, exactly: each is the remainder
// that those before it leave, rounded, and 3 x 8 bits hold the 24. So
//   x w = x1 w1 + (x1 w2 + x2 w1) + (x2 w2 + x1 w3 + x3 w1) + terms below 2^-24 |x w|:
// six products of tiles, or three where W is bfloat16 and w2 = w3 = 0. AMX sums 32 columns from
// zero and adds them to the sums so far, which is rounded less often than column after column is.
//
// Exact only away from the ends of float32's range: the parts' own range ends at 2^-126 (denormals
// count as zero) and infinities have no parts. A row of x that is not tame (packed.h)
// keeps its float32 values in the place of its parts and is multiplied with fused multiply-adds; a
// W that has such a row takes the other kernels (packed_linear.cc).
#include "kernels/amx/tiles.h"
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/packed.h"

namespace gemma3n::amx {
namespace {

struct Lanes : avx512::PackedLanes {};  // a type of this file alone names its own templates

constexpr int64_t kParts = 3, kStepColumns = 32;
constexpr int64_t kMostStrips = 4;  // of W that are multiplied together
constexpr int64_t kSumColumns = kMostStrips * kStripRows, kSumStride = kSumColumns * 4;

static G3N_INLINE __m512 Widen(__m256i v) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

// 32 values to one row of the three tiles.
static G3N_INLINE void Split(__m512 a, __m512 b, std::byte* dst) {
  G3N_UNROLL
  for (int64_t part = 0; part < kParts; ++part, dst += kTileBytes) {
    const auto rounded = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    _mm512_storeu_si512(dst, rounded);
    if (part + 1 == kParts) break;
    a = _mm512_sub_ps(a, Widen(_mm512_castsi512_si256(rounded)));
    b = _mm512_sub_ps(b, Widen(_mm512_extracti64x4_epi64(rounded, 1)));
  }
}

template <typename T>
G3N_INLINE bool IsTame(const T* row, int64_t cols) {
  auto bits = Lanes::ZeroBits();
  for (int64_t c = 0; c < cols; c += Lanes::kLanes)
    bits = Lanes::MaxMagnitude(bits, simd::LoadSome<Lanes>(row + c, cols - c));
  const uint32_t largest = Lanes::ReduceMax(bits);
  return largest == 0 || (largest >= kTameLeast && largest < kTameMost);
}

// tiles: [ceil(rows / 16), steps, 3]; tame[t]: 1, or 0 where row t has its float32 values in the
// places of the first two parts.
template <typename T>
G3N_INLINE void PackRows(const T* x, int64_t stride, int64_t rows, int64_t cols, std::byte* tiles,
                         float* tame) {
  const int64_t steps = (cols + kStepColumns - 1) / kStepColumns;
  for (int64_t t = 0; t < simd::RoundUp(rows, kStripRows); ++t) {
    std::byte* dst =
        tiles + t / kStripRows * steps * kParts * kTileBytes + t % kStripRows * kStepBytes;
    const int64_t there = t < rows ? cols : 0;
    const T* row = x + (t < rows ? t : 0) * stride;
    const bool plain = IsTame(row, there);
    if (t < rows) tame[t] = plain ? 1.0f : 0.0f;
    for (int64_t c = 0; c < steps * kStepColumns; c += kStepColumns, dst += kParts * kTileBytes) {
      const __m512 a = simd::LoadSome<Lanes>(row + c, there - c);
      const __m512 b = simd::LoadSome<Lanes>(row + c + 16, there - c - 16);
      if (plain) {
        Split(a, b, dst);
      } else {
        _mm512_storeu_ps(dst, a);
        _mm512_storeu_ps(dst + kTileBytes, b);
      }
    }
  }
}

void Pack(const InputView& x, int64_t cols, uint8_t, std::byte* tiles, float* tame) {
  if (x.f32.data != nullptr)
    return PackRows(x.f32.data, x.f32.stride, x.f32.rows, cols, tiles, tame);
  PackRows(x.bf16.data, x.bf16.stride, x.bf16.rows, cols, tiles, tame);
}

// W bfloat16: 16 rows of x against `kStrips` strips of W. Registers 0 .. 3: sums, 4 .. 6: the parts
// of x, 7: W.
template <int kStrips>
G3N_INLINE void ThreeProducts(const std::byte* x, const std::byte* w, int64_t w_strip,
                              int64_t steps, float* sums, bool first) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kSumStride);
    _tile_loadd(1, sums + 16, kSumStride);
    if constexpr (kStrips > 2) {
      _tile_loadd(2, sums + 32, kSumStride);
      _tile_loadd(3, sums + 48, kSumStride);
    }
  }
#define G3N_STRIP(s)                             \
  if constexpr (kStrips > s) {                   \
    _tile_loadd(7, w + s * w_strip, kStepBytes); \
    _tile_dpbf16ps(s, 6, 7);                     \
    _tile_dpbf16ps(s, 5, 7);                     \
    _tile_dpbf16ps(s, 4, 7);                     \
  }
  _Pragma("GCC unroll 1") for (int64_t s = 0; s < steps;
                               ++s, x += kParts * kTileBytes, w += kTileBytes) {
    _tile_loadd(6, x + 2 * kTileBytes, kStepBytes);
    _tile_loadd(5, x + kTileBytes, kStepBytes);
    _tile_loadd(4, x, kStepBytes);
    G3N_STRIP(0) G3N_STRIP(1) G3N_STRIP(2) G3N_STRIP(3)
  }
#undef G3N_STRIP
  _tile_stored(0, sums, kSumStride);
  _tile_stored(1, sums + 16, kSumStride);
  if constexpr (kStrips > 2) {
    _tile_stored(2, sums + 32, kSumStride);
    _tile_stored(3, sums + 48, kSumStride);
  }
}

// W in three parts: one or two strips of x against two of W. Registers 0 .. 3: sums, 4, 5: a part
// of x, 6, 7: a part of W. The smallest terms come first.
template <int kStrips>
G3N_INLINE void SixProducts(const std::byte* x, int64_t x_strip, const std::byte* w,
                            int64_t w_strip, int64_t steps, float* sums, bool first) {
  float* below = sums + kStripRows * kSumColumns;
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kSumStride);
    _tile_loadd(1, sums + 16, kSumStride);
    if constexpr (kStrips > 1) {
      _tile_loadd(2, below, kSumStride);
      _tile_loadd(3, below + 16, kSumStride);
    }
  }
#define G3N_X(part)                                  \
  _tile_loadd(4, x + part * kTileBytes, kStepBytes); \
  if constexpr (kStrips > 1) _tile_loadd(5, x + x_strip + part * kTileBytes, kStepBytes);
#define G3N_W(part)                                  \
  _tile_loadd(6, w + part * kTileBytes, kStepBytes); \
  _tile_loadd(7, w + w_strip + part * kTileBytes, kStepBytes);
#define G3N_PRODUCTS           \
  _tile_dpbf16ps(0, 4, 6);     \
  _tile_dpbf16ps(1, 4, 7);     \
  if constexpr (kStrips > 1) { \
    _tile_dpbf16ps(2, 5, 6);   \
    _tile_dpbf16ps(3, 5, 7);   \
  }
  _Pragma("GCC unroll 1") for (int64_t s = 0; s < steps;
                               ++s, x += kParts * kTileBytes, w += kParts * kTileBytes){
      G3N_X(0) G3N_W(2) G3N_PRODUCTS G3N_W(1) G3N_PRODUCTS G3N_X(1) G3N_PRODUCTS G3N_W(0)
          G3N_PRODUCTS G3N_X(2) G3N_PRODUCTS G3N_X(0) G3N_PRODUCTS}
#undef G3N_X
#undef G3N_W
#undef G3N_PRODUCTS
  _tile_stored(0, sums, kSumStride);
  _tile_stored(1, sums + 16, kSumStride);
  if constexpr (kStrips > 1) {
    _tile_stored(2, below, kSumStride);
    _tile_stored(3, below + 16, kSumStride);
  }
}

// sums[j] = x . w[j] for 16 rows of W, with fused multiply-adds: x is one row of tiles that holds
// float32 values.
__m512 MultiplyRow(const std::byte* x, const std::byte* w, int64_t w_parts, int64_t steps) {
  __m512 sum = _mm512_setzero_ps();
  const __m512i upper = _mm512_set1_epi32(static_cast<int32_t>(0xffff0000));
  for (int64_t s = 0; s < steps; ++s, x += kParts * kTileBytes) {
    for (int64_t g = 0; g < 16; ++g) {
      __m512 even = _mm512_setzero_ps(), odd = even;
      for (int64_t part = w_parts - 1; part >= 0; --part) {  // exact: what is left of w
        const __m512i pair =
            _mm512_loadu_si512(w + (s * w_parts + part) * kTileBytes + g * kStepBytes);
        even = _mm512_add_ps(even, _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)));
        odd = _mm512_add_ps(odd, _mm512_castsi512_ps(_mm512_and_si512(pair, upper)));
      }
      const auto* values = reinterpret_cast<const float*>(x + g / 8 * kTileBytes) + g % 8 * 2;
      sum = _mm512_fmadd_ps(even, _mm512_set1_ps(values[0]), sum);
      sum = _mm512_fmadd_ps(odd, _mm512_set1_ps(values[1]), sum);
    }
  }
  return sum;
}

// Rows [t, stop) of y from r to end, of a pass: from the sums, or for a row that is not tame by
// MultiplyRow. panel: W from row r on.
template <int kWParts>
G3N_INLINE void Store(const PackedMatrix& w, const std::byte* panel, int64_t r, int64_t end,
                      const PackedRows& x, int64_t t, int64_t stop, const float* sums,
                      const View& y) {
  for (; t < stop; ++t) {
    float* to = y.row(t) + r;
    for (int64_t j = 0; j < end - r; j += kStripRows) {
      const int64_t n = simd::Min(kStripRows, end - r - j);
      __m512 v = _mm512_load_ps(sums + t * kSumColumns + j);
      if (__builtin_expect(x.scales[t] == 0, 0)) {
        v = MultiplyRow(
            x.tiles + t / kStripRows * w.count * kParts * kTileBytes + t % kStripRows * kStepBytes,
            panel + j / kStripRows * w.steps * kWParts * kTileBytes, kWParts, w.count);
      }
      if (w.first > 0) v = _mm512_add_ps(simd::LoadSome<Lanes>(to + j, n), v);
      Lanes::StoreSome(to + j, v, n);
    }
  }
}

// A slab of W's columns, 24 or 32 KB, stays in the first-level cache while all rows of x pass by;
// these are in the second. Sums wait in `sums` from slab to slab; after the last one y is written a
// turn behind, so that the products are not waited for.
template <int kWParts>
G3N_INLINE void MultiplyPanels(const PackedMatrix& w, int64_t begin, int64_t end,
                               const PackedRows& x, const View& y) {
  constexpr int64_t kSlabSteps = kWParts == 1 ? 8 : 4;
  constexpr int64_t kPanel = kWParts == 1 ? 2 * kPanelRows : kPanelRows;
  constexpr int64_t kRowsAtATime = kWParts == 1 ? kStripRows : 2 * kStripRows;
  alignas(64) float sums[kBlockRows * kSumColumns];
  const int64_t x_strip = w.count * kParts * kTileBytes, w_strip = w.steps * kWParts * kTileBytes;
  const std::byte* weights = w.tiles + w.first * kWParts * kTileBytes;
  const int64_t turns = (x.rows + kRowsAtATime - 1) / kRowsAtATime;
  BeginTiles();
  for (int64_t r = begin; r < end; r += kPanel) {
    const std::byte* panel = weights + r / kStripRows * w_strip;
    const int64_t stop = simd::Min(r + kPanel, end);
    for (int64_t s = 0; s < w.count; s += kSlabSteps) {
      const int64_t steps = simd::Min(kSlabSteps, w.count - s);
      const bool last = s + steps == w.count;
      const std::byte* slab = panel + s * kWParts * kTileBytes;
      const std::byte* rows = x.tiles + s * kParts * kTileBytes;
      for (int64_t t = 0; t < x.rows; t += kRowsAtATime, rows += kRowsAtATime / 16 * x_strip) {
        float* to = sums + t * kSumColumns;
        if (last) {
          for (int64_t i = t; i < simd::Min(t + kRowsAtATime, x.rows); ++i) {
            for (int64_t j = r; j < stop; j += 16) __builtin_prefetch(y.row(i) + j, 1);
          }
        }
        if constexpr (kWParts == 1) {
          if (end - r > kPanelRows) {
            ThreeProducts<4>(rows, slab, w_strip, steps, to, s == 0);
          } else {
            ThreeProducts<2>(rows, slab, w_strip, steps, to, s == 0);
          }
        } else {
          if (x.rows - t > kStripRows) {
            SixProducts<2>(rows, x_strip, slab, w_strip, steps, to, s == 0);
          } else {
            SixProducts<1>(rows, x_strip, slab, w_strip, steps, to, s == 0);
          }
        }
        if (last && t > 0) Store<kWParts>(w, panel, r, stop, x, t - kRowsAtATime, t, sums, y);
      }
    }
    Store<kWParts>(w, panel, r, stop, x, (turns - 1) * kRowsAtATime, x.rows, sums, y);
  }
  EndTiles();
}

void Multiply(const PackedMatrix& w, int64_t begin, int64_t end, const PackedRows& x,
              const OutputView& y) {
  w.parts == 1 ? MultiplyPanels<1>(w, begin, end, x, y.f32)
               : MultiplyPanels<kParts>(w, begin, end, x, y.f32);
}

}  // namespace

constinit const PackedKernels kFloat32 = {.step = kStepColumns,
                                          .flip = 0,
                                          .pack = Pack,
                                          .multiply = Multiply,
                                          .parts = kParts,
                                          .pass_steps = 32,
                                          .range_rows = 2 * kPanelRows};

}  // namespace gemma3n::amx
