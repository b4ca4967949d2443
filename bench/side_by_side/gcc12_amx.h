// For building llama.cpp by GCC 12 on a processor with AMX: CXXFLAGS="-include .../gcc12_amx.h".
// That compiler's tile intrinsics do not say which memory they read and write (_tile_loadconfig
// claims 8 bytes of 64), so stores before them are dropped and the first product faults.
#pragma once

#if defined(__cplusplus) && defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__) && \
    __GNUC__ <= 12
#include <immintrin.h>

__attribute__((always_inline)) static inline void LoadTileConfigWhole(const void* config) {
  __asm__ volatile("ldtilecfg\t%X0" ::"m"(*(const char(*)[64])config) : "memory");
}
#define _tile_loadconfig LoadTileConfigWhole

#undef _tile_loadd
#define _tile_loadd(tile, base, stride) LOAD_TILE_FROM_MEMORY(tile, base, stride)
#define LOAD_TILE_FROM_MEMORY(tile, base, stride)                                  \
  __asm__ volatile("tileloadd\t(%0,%1,1), %%tmm" #tile ::"r"((const void*)(base)), \
                   "r"((long)(stride))                                             \
                   : "memory")

#undef _tile_stored
#define _tile_stored(tile, base, stride) STORE_TILE_TO_MEMORY(tile, base, stride)
#define STORE_TILE_TO_MEMORY(tile, base, stride)                                 \
  __asm__ volatile("tilestored\t%%tmm" #tile ", (%0,%1,1)" ::"r"((void*)(base)), \
                   "r"((long)(stride))                                           \
                   : "memory")
#endif
