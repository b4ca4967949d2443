// One slab of a group of W's rows times all rows of x, on AMX-BF16: what the products of a prompt
// share, wherever their sums go.
#pragma once

#include <utility>

#include "kernels/amx/expansion.h"
#include "kernels/amx/tiles.h"

namespace gemma3n::amx {

static constexpr int64_t kMostRows = 512;
static constexpr int64_t kStoredRows =
    kPanelRows;  // of x, up to which W in BF16 is multiplied where it lies
static constexpr int64_t kSlabBytes = kGroupRows / kStripRows * kSlabSteps * kTileBytes;
static constexpr int64_t kSumBytes = 4 * kTileBytes;  // of a panel and 32 rows of x
static constexpr int64_t kSumFloats = kSumBytes / 4;

// Packed x: slab after slab, in each the pairs of 16 rows.
static G3N_INLINE int64_t PackedBytes(int64_t rows, int64_t cols) {
  return CeilDiv(rows, kPanelRows) * 2 * CeilDiv(cols, kColumns) * kTileBytes;
}
static G3N_INLINE int64_t SlabStart(int64_t rows, int64_t slab) {
  return PackedBytes(rows, slab * kManyRowsSlab);
}

// Bytes of a group's sums: 32 rows of x after 32, panel after panel.
static G3N_INLINE int64_t GroupBytes(int64_t rows) {
  return CeilDiv(rows, kPanelRows) * kGroupPanels * kSumBytes;
}

// sums of one panel += W x over a slab. Registers 0 .. 3: sums, W's rows 0 .. 15 before 16 .. 31.
template <int kStrips, class Side>
G3N_INLINE static void MultiplyPanel(const std::byte* w, const std::byte* x, int64_t steps,
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

// A panel of W's rows and 32 rows of x whose sums are complete.
struct Complete {
  const float* sums = nullptr;  // tiles (rows of W) x (rows of x): 0 0, 0 1, 1 0, 1 1
  int64_t row = 0, rows = 0, token = 0, tokens = 0;
};

// One slab of a group for all rows of x, `count` of them. Sums wait in `sums`; what is complete, if
// `last`, is given to `sink`, one panel late, so that the tile unit has the next one to do. They
// stay in `sums` if Sink::kKeeps.
template <class Sink, class Ahead>
G3N_INLINE static void MultiplySlab(const Slab& at, bool last, const std::byte* tiles,
                                    const std::byte* packed, int64_t count, float* sums,
                                    const Sink& sink, Ahead& ahead) {
  alignas(64) float turning[Sink::kKeeps ? 1 : 2][Sink::kKeeps ? 16 : kSumFloats];
  Complete waiting;
  const int64_t pair_bytes = 2 * at.steps * kTileBytes, panels = CeilDiv(at.rows, kPanelRows);
  const std::byte* x = packed + SlabStart(count, at.slab);
  int buffer = 0;
  for (int64_t t = 0; t < count; t += kPanelRows, x += pair_bytes) {
    const std::byte* next_x = x + pair_bytes;
    for (int64_t p = 0; p < panels; ++p) {
      float* sum = sums + (t / kPanelRows * kGroupPanels + p) * kSumFloats;
      float* out = sum;
      if constexpr (!Sink::kKeeps) {
        if (last) out = turning[buffer];
      }
      const auto* next_sum = reinterpret_cast<const char*>(sum + kSumFloats);
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
      if (count - t > kStripRows) {
        MultiplyPanel<2>(w, x, at.steps, from, out, side);
      } else {
        MultiplyPanel<1>(w, x, at.steps, from, out, side);
      }
      if (!last) continue;
      if (waiting.sums != nullptr) sink.Take(waiting);
      waiting = {out, at.row + p * kPanelRows, simd::Min(kPanelRows, at.rows - p * kPanelRows), t,
                 simd::Min(kPanelRows, count - t)};
      buffer ^= 1;
    }
  }
  if (last) sink.Take(waiting);
}

// Calls body(slab, its tiles) for each slab of the order, while the next one is expanded: body
// gives `ahead` to MultiplySlab.   scratch: 2 * kSlabBytes
template <DType kType, class Body>
G3N_INLINE static void ForSlabs(const Matrix* const* matrices, const SlabOrder& order,
                                std::byte* scratch, const Body& body) {
  Expansion<kType> ahead(matrices, order);
  const int64_t count = order.count();
  BeginTiles();
  ahead.Start(0, scratch);
  ahead.Finish();
  for (int64_t i = 0; i < count; ++i) {
    if (i + 1 < count) ahead.Start(i + 1, scratch + (i + 1) % 2 * kSlabBytes);
    body(order[i], scratch + i % 2 * kSlabBytes, ahead);
    ahead.Finish();
  }
  EndTiles();
}

// Calls fill.operator()<type>() for each type that is multiplied.
template <class Fill>
constexpr void ForTypes(const Fill& fill) {
  [&]<DType... kType>(std::integer_sequence<DType, kType...>) {
    (fill.template operator()<kType>(), ...);
  }
  (std::integer_sequence<DType, DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                         DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K,
                         DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS>());
}

}  // namespace gemma3n::amx
