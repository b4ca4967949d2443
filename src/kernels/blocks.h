// Layouts of the block-quantised types of GGUF files (ggml's public format). Bytes only, so
// alignment is 1 and a block may lie anywhere in a mapped file. `d`, `m`, `dmin` are IEEE halves.
// Element j of a block, 0 <= j < block_elements:
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/half.h"

namespace gemma3n {

struct BlockQ8_0 {  // d * qs[j]
  uint8_t d[2];
  int8_t qs[32];
};
struct BlockQ4_0 {  // d * (q - 8); q: low nibble of qs[j] for j < 16, high nibble of qs[j - 16]
                    // after
  uint8_t d[2];
  uint8_t qs[16];
};
struct BlockQ4_1 {  // d * q + m
  uint8_t d[2], m[2];
  uint8_t qs[16];
};
struct BlockQ5_0 {  // d * (q - 16); q: nibble as in Q4_0, plus 16 if bit j of qh (little endian) is
                    // set
  uint8_t d[2];
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ5_1 {  // d * q + m
  uint8_t d[2], m[2];
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ4_K {  // d * scale[s] * q - dmin * min[s], s = j / 32; q: nibble s % 2 of qs[32 * (s /
                    // 2) + j % 32]
  uint8_t d[2], dmin[2];
  uint8_t scales[12];  // 8 six-bit scales and 8 six-bit mins, see UnpackScaleMin
  uint8_t qs[128];
};
struct BlockQ5_K {  // as Q4_K, with q plus 16 if bit s of qh[j % 32] is set
  uint8_t d[2], dmin[2];
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
template <class Block>
inline constexpr bool kHasFifthBits = false;
template <>
inline constexpr bool kHasFifthBits<BlockQ5_K> = true;

struct BlockQ6_K {  // d * scales[j / 16] * (q - 32); in each half of 128, quarter k = j % 128 / 32,
                    // i = j % 32:
  uint8_t ql[128];  //   low four bits: nibble k / 2 of ql[64 * half + 32 * (k % 2) + i]
  uint8_t qh[64];   //   high two bits: bits 2k, 2k + 1 of qh[32 * half + i]
  int8_t scales[16];
  uint8_t d[2];
};
struct BlockIQ4_NL {  // d * kIQ4Values[q]; nibbles as in Q4_0
  uint8_t d[2];
  uint8_t qs[16];
};
struct BlockIQ4_XS {  // d * (scale[s] - 32) * kIQ4Values[q], s = j / 32; nibbles per 32 as in Q4_0
  uint8_t d[2];
  uint8_t scales_h[2];  // high two bits of scale s: bits 2s, 2s + 1
  uint8_t scales_l[4];  // low four bits of scale s: nibble s % 2 of byte s / 2
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockIQ4_XS) == 136);

// The sixteen levels of the non-linear four-bit types.
static constexpr int8_t kIQ4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

// Scale and min of sub-block s (0..7) of a Q4_K or Q5_K super-block.
static inline void UnpackScaleMin(const uint8_t packed[12], int s, int* scale, int* min) {
  if (s < 4) {
    *scale = packed[s] & 63;
    *min = packed[s + 4] & 63;
  } else {
    *scale = (packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4;
    *min = packed[s + 4] >> 4 | (packed[s] >> 6) << 4;
  }
}

// All of them, a byte each.
struct SixBits {
  uint64_t scales, mins;
  uint64_t first, last;  // scales 0 .. 3, then mins 0 .. 3; 4 .. 7
};
static inline SixBits UnpackSixBits(const uint8_t packed[12]) {
  uint64_t low, high = 0;  // eight numbers at a time
  std::memcpy(&low, packed, 8);
  std::memcpy(&high, packed + 8, 4);
  const uint64_t first = low & 0x3f3f3f3f3f3f3f3f;
  const uint64_t last =
      (low >> 6 & 0x0303030303030303) << 4 | ((high | high << 28) & 0x0f0f0f0f0f0f0f0f);
  return {first << 32 >> 32 | last << 32, first >> 32 | last >> 32 << 32, first, last};
}

// Scale of sub-block s (0..7) of an IQ4_XS super-block, -32 .. 31.
static inline int UnpackScale(const BlockIQ4_XS& block, int s) {
  const int low = block.scales_l[s / 2] >> 4 * (s % 2) & 15;
  const int high = LoadU16(block.scales_h) >> 2 * s & 3;
  return (low | high << 4) - 32;
}
// All eight, a signed byte each.
static inline uint64_t UnpackScales(const BlockIQ4_XS& block) {
  uint32_t nibbles;
  std::memcpy(&nibbles, block.scales_l, 4);
  uint64_t low = nibbles, high = LoadU16(block.scales_h);
  low = (low | low << 16) & 0x0000ffff0000ffff;
  low = (low | low << 8) & 0x00ff00ff00ff00ff;
  low = (low | low << 4) & 0x0f0f0f0f0f0f0f0f;
  high = (high | high << 24) & 0x000000ff000000ff;
  high = (high | high << 12) & 0x000f000f000f000f;
  high = (high | high << 6) & 0x0303030303030303;
  constexpr uint64_t kTop = 0x8080808080808080;  // keeps the bytes' subtractions apart
  return ((low | high << 4 | kTop) - 0x2020202020202020) ^ kTop;
}

}  // namespace gemma3n
