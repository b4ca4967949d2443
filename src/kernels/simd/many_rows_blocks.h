// Stored blocks as small integers with scales, for simd/many_rows_int8.h. An Int8Block<DType> has
//   Stored       the block's layout
//   kParts       of 32 columns in a block
//   kHalves      2: a part has a scale for each 16 columns; 1: one for all
//   kHasMin      a value is scale * integer + min
//   kCentre      what is subtracted from the integers; they are below 2 kCentre in magnitude
//   kLevels      or sixteen integers that they count, else null
//   kWide        integers of eight bits; others are -16 .. 16, by halves -32 .. 32
//   Scales(block, scales, mins)   of all parts; mins for integers before kCentre is subtracted
//   Integers(block, part, q)      bytes, eight in each word, before kCentre is subtracted
#pragma once

#include <cstring>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"
#include "tensor/dtype.h"

namespace gemma3n::simd {

template <class B, int kCount>
struct Int8BlockOf {
  using Stored = B;
  static constexpr int kParts = kCount, kHalves = 1, kCentre = 0;
  static constexpr bool kHasMin = false, kWide = false;
  static constexpr const int8_t* kLevels = nullptr;
};

static G3N_INLINE float HalfAt(const uint8_t* p) { return HalfToFloat(LoadU16(p)); }

// The field of width-many bits from `shift` on of each of 8 kCount bytes, moved up by `up`.
template <int kCount>
static G3N_INLINE void Fields(const uint8_t* src, int shift, uint8_t mask, int up, uint64_t* q) {
  std::memcpy(q, src, 8 * kCount);
  for (int i = 0; i < kCount; ++i) q[i] = (q[i] >> shift & mask * 0x0101010101010101u) << up;
}
// The same, added to what is there.
template <int kCount>
static G3N_INLINE void AddFields(const uint8_t* src, int shift, uint8_t mask, int up, uint64_t* q) {
  uint64_t more[kCount];
  Fields<kCount>(src, shift, mask, up, more);
  for (int i = 0; i < kCount; ++i) q[i] |= more[i];
}
// Low nibbles of 16 bytes, then high ones.
static G3N_INLINE void Nibbles32(const uint8_t* qs, uint64_t* q) {
  Fields<2>(qs, 0, 15, 0, q);
  Fields<2>(qs, 4, 15, 0, q + 2);
}
// Adds 16 where a bit is set.
static G3N_INLINE void AddBits32(const uint8_t* qh, uint64_t* q) {
  for (int i = 0; i < 4; ++i) {
    uint64_t bits = qh[i];  // bit j goes to byte j
    bits = (bits | bits << 28) & 0x0000000f0000000f;
    bits = (bits | bits << 14) & 0x0003000300030003;
    bits = (bits | bits << 7) & 0x0101010101010101;
    q[i] |= bits << 4;
  }
}

template <DType kType>
struct Int8Block;

template <>
struct Int8Block<DType::kQ8_0> : Int8BlockOf<BlockQ8_0, 1> {
  static constexpr bool kWide = true;
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    scales[0] = HalfAt(block.d);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint64_t* q) {
    std::memcpy(q, block.qs, 32);
  }
};

// Nibbles and one scale.
template <class B>
struct Int8NibbleBlock : Int8BlockOf<B, 1> {
  static G3N_INLINE void Scales(const B& block, float* scales, float*) {
    scales[0] = HalfAt(block.d);
  }
  static G3N_INLINE void Integers(const B& block, int, uint64_t* q) { Nibbles32(block.qs, q); }
};
template <>
struct Int8Block<DType::kQ4_0> : Int8NibbleBlock<BlockQ4_0> {
  static constexpr int kCentre = 8;
};
template <>
struct Int8Block<DType::kIQ4_NL> : Int8NibbleBlock<BlockIQ4_NL> {
  static constexpr bool kWide = true;
  static constexpr const int8_t* kLevels = kIQ4Values;
};
template <>
struct Int8Block<DType::kQ4_1> : Int8NibbleBlock<BlockQ4_1> {
  static constexpr bool kHasMin = true;
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    scales[0] = HalfAt(block.d);
    mins[0] = HalfAt(block.m);
  }
};

// Nibbles, a fifth bit and one scale.
template <class B>
struct Int8QuintBlock : Int8NibbleBlock<B> {
  static constexpr int kCentre = 16;
  static G3N_INLINE void Integers(const B& block, int, uint64_t* q) {
    Nibbles32(block.qs, q);
    AddBits32(block.qh, q);
  }
};
template <>
struct Int8Block<DType::kQ5_0> : Int8QuintBlock<BlockQ5_0> {};
template <>
struct Int8Block<DType::kQ5_1> : Int8QuintBlock<BlockQ5_1> {
  static constexpr bool kHasMin = true;
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    scales[0] = HalfAt(block.d);
    mins[0] = HalfAt(block.m);
  }
};

// Eight parts with scales and mins of six bits.
template <class B>
struct Int8SuperBlock : Int8BlockOf<B, 8> {
  static constexpr bool kHasMin = true;
  static G3N_INLINE void Scales(const B& block, float* scales, float* mins) {
    const float d = HalfAt(block.d), dmin = -HalfAt(block.dmin);
    for (int s = 0; s < 8; ++s) {
      int scale, min;
      UnpackScaleMin(block.scales, s, &scale, &min);
      scales[s] = d * static_cast<float>(scale);
      mins[s] = dmin * static_cast<float>(min);
    }
  }
  static G3N_INLINE void Integers(const B& block, int part, uint64_t* q) {
    Fields<4>(block.qs + 32 * (part / 2), 4 * (part % 2), 15, 0, q);
  }
};
template <>
struct Int8Block<DType::kQ4_K> : Int8SuperBlock<BlockQ4_K> {};
template <>
struct Int8Block<DType::kQ5_K> : Int8SuperBlock<BlockQ5_K> {
  static constexpr int kCentre = 16;
  static G3N_INLINE void Integers(const Stored& block, int part, uint64_t* q) {
    Int8SuperBlock<BlockQ5_K>::Integers(block, part, q);
    AddFields<4>(block.qh, part, 1, 4, q);
  }
};

template <>
struct Int8Block<DType::kQ6_K> : Int8BlockOf<BlockQ6_K, 8> {
  static constexpr int kHalves = 2, kCentre = 32;
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    const float d = HalfAt(block.d);
    for (int i = 0; i < 16; ++i) scales[i] = d * static_cast<float>(block.scales[i]);
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint64_t* q) {
    const int half = part / 4, quarter = part % 4;
    Fields<4>(block.ql + 64 * half + 32 * (quarter % 2), 4 * (quarter / 2), 15, 0, q);
    AddFields<4>(block.qh + 32 * half, 2 * quarter, 3, 4, q);
  }
};

template <>
struct Int8Block<DType::kIQ4_XS> : Int8BlockOf<BlockIQ4_XS, 8> {
  static constexpr bool kWide = true;
  static constexpr const int8_t* kLevels = kIQ4Values;
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    const float d = HalfAt(block.d);
    for (int s = 0; s < 8; ++s) scales[s] = d * static_cast<float>(UnpackScale(block, s));
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint64_t* q) {
    Nibbles32(block.qs + 16 * part, q);
  }
};

}  // namespace gemma3n::simd
