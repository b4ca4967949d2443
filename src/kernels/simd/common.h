// Shared by the kernel templates. No std headers with templates: see docs/KERNELS.md.
#pragma once

#include <cstdint>

// The body that a kernel must be compiled with, whatever the optimiser thinks of its size.
#define G3N_INLINE inline __attribute__((always_inline))
#define G3N_LAMBDA __attribute__((always_inline))

#if defined(__clang__)
#define G3N_UNROLL _Pragma("clang loop unroll(full)")
#else
#define G3N_UNROLL _Pragma("GCC unroll 64")
#endif

namespace gemma3n::simd {

// How far ahead of what is being multiplied memory is asked for, where rows of W come from memory.
inline constexpr int64_t kReadAhead = 2048;

static inline int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t RoundUp(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace gemma3n::simd
