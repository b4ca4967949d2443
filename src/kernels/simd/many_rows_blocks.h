// Stored blocks as small integers with scales, for simd/many_rows_int8.h. An Int8Block<DType> has
//   Stored       the block's layout
//   kParts       of 32 columns in a block
//   kHalves      2: a part has a scale for each 16 columns; 1: one for all
//   kHasMin      a value is scale * integer + min
//   kLevels      the integers, where Integers gives their indices; else null
//   kWide        integers of eight bits; others are -16 .. 16, by halves -32 .. 32
//   Scales<V>(block, scales, mins)   of all parts; V has, beside what many_rows_int8.h names,
//                Half(p), and Scaled8(bytes, d, out): eight signed bytes times d
//   Integers(block, part, q)      32 bytes
//
// Int8Dots: what a D has that is the same for most.
#pragma once

#include <cstring>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"
#include "tensor/dtype.h"

namespace gemma3n::simd {

struct Int8Dots {
  static constexpr int kPlanes = 1;
  static constexpr float kBias = 0;
  static constexpr bool kCentred = false, kFirst = false;
  static G3N_INLINE void Split(uint8_t*, int64_t) {}
};

template <class B, int kCount>
struct Int8BlockOf {
  using Stored = B;
  static constexpr int kParts = kCount, kHalves = 1;
  static constexpr bool kHasMin = false, kWide = false;
  static constexpr const int8_t* kLevels = nullptr;
};

// Vectors of the compiler's own: bytes in words, as fields of them are shifted and masked.
using Words2 = uint64_t __attribute__((vector_size(16)));
using Words4 = uint64_t __attribute__((vector_size(32)));

template <class Words>
static G3N_INLINE Words LoadWords(const uint8_t* p) {
  Words words;
  std::memcpy(&words, p, sizeof(words));
  return words;
}
// Each byte shifted to the right and masked.
template <class Words>
static G3N_INLINE Words Field(Words words, int shift, uint8_t mask) {
  return words >> shift & mask * uint64_t{0x0101010101010101};
}
// Each byte, which is below 128, less `centre`.
static G3N_INLINE void StoreIntegers(Words4 q, uint8_t centre, uint8_t* out) {
  constexpr uint64_t kTop = 0x8080808080808080;
  const Words4 centred = ((q | kTop) - centre * uint64_t{0x0101010101010101}) ^ kTop;
  std::memcpy(out, &centred, sizeof(centred));
}
// Low nibbles of 16 bytes, then high ones.
static G3N_INLINE Words4 Nibbles(const uint8_t* qs) {
  const auto words = LoadWords<Words2>(qs);
  const Words2 low = Field(words, 0, 15), high = Field(words, 4, 15);
  return Words4{low[0], low[1], high[0], high[1]};
}
// 16 for each bit that is set.
static G3N_INLINE Words4 Sixteens(const uint8_t* bits) {
  Words4 q = {bits[0], bits[1], bits[2], bits[3]};  // bit j goes to byte j
  q = (q | q << 28) & 0x0000000f0000000f;
  q = (q | q << 14) & 0x0003000300030003;
  q = (q | q << 7) & 0x0101010101010101;
  return q << 4;
}

template <DType kType>
struct Int8Block;

template <>
struct Int8Block<DType::kQ8_0> : Int8BlockOf<BlockQ8_0, 1> {
  static constexpr bool kWide = true;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    scales[0] = V::Half(block.d);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    std::memcpy(q, block.qs, 32);
  }
};

template <>
struct Int8Block<DType::kQ4_0> : Int8BlockOf<BlockQ4_0, 1> {
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    scales[0] = V::Half(block.d);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs), 8, q);
  }
};

template <>
struct Int8Block<DType::kQ4_1> : Int8BlockOf<BlockQ4_1, 1> {
  static constexpr bool kHasMin = true;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    scales[0] = V::Half(block.d);
    mins[0] = V::Half(block.m);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs), 0, q);
  }
};

template <>
struct Int8Block<DType::kQ5_0> : Int8BlockOf<BlockQ5_0, 1> {
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    scales[0] = V::Half(block.d);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs) | Sixteens(block.qh), 16, q);
  }
};

template <>
struct Int8Block<DType::kQ5_1> : Int8BlockOf<BlockQ5_1, 1> {
  static constexpr bool kHasMin = true;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    scales[0] = V::Half(block.d);
    mins[0] = V::Half(block.m) + 16 * scales[0];
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs) | Sixteens(block.qh), 16, q);
  }
};

template <class V, class B>
G3N_INLINE void SuperScales(const B& block, float* scales, float* mins) {
  const SixBits six = UnpackSixBits(block.scales);
  V::Scaled8(six.scales, V::Half(block.d), scales);
  V::Scaled8(six.mins, -V::Half(block.dmin), mins);
}
template <class B>
G3N_INLINE Words4 SuperNibbles(const B& block, int part) {
  return Field(LoadWords<Words4>(block.qs + 32 * (part / 2)), 4 * (part % 2), 15);
}

template <>
struct Int8Block<DType::kQ4_K> : Int8BlockOf<BlockQ4_K, 8> {
  static constexpr bool kHasMin = true;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    SuperScales<V>(block, scales, mins);
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint8_t* q) {
    StoreIntegers(SuperNibbles(block, part), 0, q);
  }
};

template <>
struct Int8Block<DType::kQ5_K> : Int8BlockOf<BlockQ5_K, 8> {
  static constexpr bool kHasMin = true;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float* mins) {
    SuperScales<V>(block, scales, mins);
    for (int i = 0; i < 8; ++i) mins[i] += 16 * scales[i];
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint8_t* q) {
    const Words4 fifth = Field(LoadWords<Words4>(block.qh), part, 1) << 4;
    StoreIntegers(SuperNibbles(block, part) | fifth, 16, q);
  }
};

template <>
struct Int8Block<DType::kQ6_K> : Int8BlockOf<BlockQ6_K, 8> {
  static constexpr int kHalves = 2;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    uint64_t bytes[2];
    std::memcpy(bytes, block.scales, 16);
    const float d = V::Half(block.d);
    V::Scaled8(bytes[0], d, scales);
    V::Scaled8(bytes[1], d, scales + 8);
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint8_t* q) {
    const int half = part / 4, k = part % 4;
    const auto low = LoadWords<Words4>(block.ql + 64 * half + 32 * (k % 2));
    const auto high = LoadWords<Words4>(block.qh + 32 * half);
    StoreIntegers(Field(low, 4 * (k / 2), 15) | Field(high, 2 * k, 3) << 4, 32, q);
  }
};

template <>
struct Int8Block<DType::kIQ4_NL> : Int8BlockOf<BlockIQ4_NL, 1> {
  static constexpr bool kWide = true;
  static constexpr const int8_t* kLevels = kIQ4Values;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    scales[0] = V::Half(block.d);
  }
  static G3N_INLINE void Integers(const Stored& block, int, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs), 0, q);
  }
};

template <>
struct Int8Block<DType::kIQ4_XS> : Int8BlockOf<BlockIQ4_XS, 8> {
  static constexpr bool kWide = true;
  static constexpr const int8_t* kLevels = kIQ4Values;
  template <class V>
  static G3N_INLINE void Scales(const Stored& block, float* scales, float*) {
    V::Scaled8(UnpackScales(block), V::Half(block.d), scales);
  }
  static G3N_INLINE void Integers(const Stored& block, int part, uint8_t* q) {
    StoreIntegers(Nibbles(block.qs + 16 * part), 0, q);
  }
};

}  // namespace gemma3n::simd
