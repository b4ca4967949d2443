// Both arithmetics by AMX: a tile register holds 16 rows x 64 bytes, as kernels/packed.h cuts them.
// Four tiles of sums against two of activations and two of weights use all eight registers.
// Denormal bfloat16 values count as zero.
#include "kernels/simd/packed.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/packed_lanes.h"
#include "kernels/avx512/table.h"
#include "kernels/avx512bf16/packed_lanes.h"

namespace gemma3n::amx {
namespace {

// Types of this file alone name its own templates.
struct ByteLanes : avx512::PackedLanes {};
struct Lanes : avx512bf16::PackedLanes {};

constexpr int64_t kSumStride = kPanelRows * 4;  // bytes from one row of sums to the next

struct BFloat16 {
  using Sum = float;
  static constexpr bool kInteger = false;
};
struct Int8 {
  using Sum = int32_t;
  static constexpr bool kInteger = true;
};

#define G3N_DOT(sums, x, w)       \
  if constexpr (Type::kInteger) { \
    _tile_dpbssd(sums, x, w);     \
  } else {                        \
    _tile_dpbf16ps(sums, x, w);   \
  }

template <class Type>
struct TileDot : Type {
  using Sum = typename Type::Sum;
  static constexpr int64_t kSlabSteps =
      20;  // a panel of W, this long, is 40 KB of 48 of the first-level cache

  static G3N_INLINE void Begin() { BeginTiles(); }
  static G3N_INLINE void End() { EndTiles(); }

  // See VectorDot::Tile. Registers 0 .. 3: sums of (rows 0 .. 15 or 16 .. 31 of x) x (of the
  // panel).
  static G3N_INLINE void Tile(const std::byte* x, int64_t x_strip, const std::byte* w,
                              int64_t w_strip, int64_t steps, int64_t rows, Sum* sums,
                              const int32_t* starts) {
    if (rows <= kStripRows) return OneStrip(x, w, w_strip, steps, sums, starts != nullptr);
    Sum* below = sums + kStripRows * kPanelRows;
    if (starts != nullptr) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else {
      _tile_loadd(0, sums, kSumStride);
      _tile_loadd(1, sums + kStripRows, kSumStride);
      _tile_loadd(2, below, kSumStride);
      _tile_loadd(3, below + kStripRows, kSumStride);
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      _tile_loadd(4, x, kStepBytes);
      _tile_stream_loadd(6, w, kStepBytes);
      _tile_stream_loadd(7, w + w_strip, kStepBytes);
      _tile_loadd(5, x + x_strip, kStepBytes);
      G3N_DOT(0, 4, 6);
      G3N_DOT(1, 4, 7);
      G3N_DOT(2, 5, 6);
      G3N_DOT(3, 5, 7);
    }
    _tile_stored(0, sums, kSumStride);
    _tile_stored(1, sums + kStripRows, kSumStride);
    _tile_stored(2, below, kSumStride);
    _tile_stored(3, below + kStripRows, kSumStride);
  }

 private:
  static G3N_INLINE void OneStrip(const std::byte* x, const std::byte* w, int64_t w_strip,
                                  int64_t steps, Sum* sums, bool first) {
    if (first) {
      _tile_zero(0);
      _tile_zero(1);
    } else {
      _tile_loadd(0, sums, kSumStride);
      _tile_loadd(1, sums + kStripRows, kSumStride);
    }
    for (int64_t s = 0; s < steps; ++s, x += kTileBytes, w += kTileBytes) {
      _tile_loadd(4, x, kStepBytes);
      _tile_stream_loadd(6, w, kStepBytes);
      _tile_stream_loadd(7, w + w_strip, kStepBytes);
      G3N_DOT(0, 4, 6);
      G3N_DOT(1, 4, 7);
    }
    _tile_stored(0, sums, kSumStride);
    _tile_stored(1, sums + kStripRows, kSumStride);
  }
};
#undef G3N_DOT

}  // namespace

constinit const PackedKernels kBFloat16 = {32, 0, simd::PackBFloat16<Lanes>,
                                           simd::Multiply<Lanes, TileDot<BFloat16>>};
constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<ByteLanes>,
                                       simd::Multiply<ByteLanes, TileDot<Int8>>};

}  // namespace gemma3n::amx
