// Scalar conversions of the 16-bit float formats. `static`: files built with wide instruction sets
// include this, and a weak symbol built with AVX would reach old processors.
#pragma once

#include <cstdint>
#include <cstring>

namespace gemma3n {

static inline float BitsToFloat(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof(f));
  return f;
}

static inline uint32_t FloatToBits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof(bits));
  return bits;
}

static inline uint16_t LoadU16(const void* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// IEEE half to float, exact; subnormals, infinities and NaN included.
static inline float HalfToFloat(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00) return BitsToFloat(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // The half's bits moved to float's places are the value times 2^-112: one exact multiplication
  // mends the exponent, and normalises subnormals on the way.
  const float value = BitsToFloat(magnitude << 13) * 0x1p112f;
  return BitsToFloat(sign | FloatToBits(value));
}

// Float to IEEE half, to nearest even; overflow becomes infinity, NaN stays a quiet NaN.
static inline uint16_t FloatToHalf(float f) {
  const uint32_t bits = FloatToBits(f);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to 65520 or more
  if (magnitude < 0x38800000) {
    // Subnormal half: adding 1/2 leaves the value, rounded to multiples of 2^-24, in the low bits.
    return sign | static_cast<uint16_t>(FloatToBits(BitsToFloat(magnitude) + 0.5f) - 0x3f000000);
  }
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((magnitude - 0x38000000) >> 13);
}

static inline float BFloat16ToFloat(uint16_t h) {
  return BitsToFloat(static_cast<uint32_t>(h) << 16);
}

// Float to bfloat16, to nearest even; NaN stays a quiet NaN.
static inline uint16_t FloatToBFloat16(float f) {
  const uint32_t bits = FloatToBits(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace gemma3n
