// What the files of this folder share: every tile register holds 16 rows x 64 bytes.
#pragma once

#include <immintrin.h>

#include "kernels/packed.h"
#include "kernels/simd/common.h"

namespace gemma3n::amx {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kConfig;

// The registers belong to the thread; releasing them spares the system saving them when it
// switches threads.
static G3N_INLINE void BeginTiles() { _tile_loadconfig(&kConfig); }
static G3N_INLINE void EndTiles() { _tile_release(); }

// The compiler does not know what a tile load reads: what was stored before must be stored by here.
static G3N_INLINE void Fence() { asm volatile("" ::: "memory"); }

}  // namespace gemma3n::amx
