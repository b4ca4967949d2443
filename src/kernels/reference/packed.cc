// The dot products in plain C++, over the same tiles as the other tables.
#include <cmath>

#include "kernels/half.h"
#include "kernels/reference/reference.h"
#include "kernels/simd/packed.h"

namespace gemma3n::reference {
namespace {

struct PackedLanes {
  static constexpr int kLanes = 1;
  using F = float;

  static F Zero() { return 0; }
  static F Set1(float v) { return v; }
  static F Mul(F a, F b) { return a * b; }
  static F Load(const float* p) { return *p; }
  static F Load(const uint16_t* p) { return BFloat16ToFloat(*p); }
  template <typename T>
  static F LoadN(const T*, int64_t) {
    return 0;
  }
  static F ToFloat(const int32_t* p) { return static_cast<float>(*p); }
  static void Store(float* p, F v) { *p = v; }
  static void StoreSome(float* p, F v, int64_t) { *p = v; }
  static void StoreBFloat16(uint16_t* p, F v) { *p = FloatToBFloat16(v); }
  static void StoreSome(uint16_t* p, F v, int64_t) { StoreBFloat16(p, v); }
  static void StoreInt8(std::byte* p, F v, uint8_t flip) {
    *p =
        static_cast<std::byte>(static_cast<uint8_t>(static_cast<int8_t>(std::nearbyint(v))) ^ flip);
  }
  static uint32_t ZeroBits() { return 0; }
  static uint32_t MaxMagnitude(uint32_t bits, F v) {
    const uint32_t magnitude = FloatToBits(v) & 0x7fffffff;
    return magnitude > bits ? magnitude : bits;
  }
  static uint32_t ReduceMax(uint32_t bits) { return bits; }
};

// How many values a group of 4 bytes holds, and what they are.
struct BFloat16Group {
  using Sum = float;
  static constexpr int kValues = 2;
  static float Value(const std::byte* p, int i) { return BFloat16ToFloat(LoadU16(p + 2 * i)); }
};
struct Int8Group {
  using Sum = int32_t;
  static constexpr int kValues = 4;
  static int32_t Value(const std::byte* p, int i) { return static_cast<int8_t>(p[i]); }
};

template <class Group>
struct ScalarDot {
  using Sum = typename Group::Sum;
  static constexpr bool kInteger = Group::kValues == 4;
  static constexpr int64_t kSlabSteps = 8;
  static void Begin() {}
  static void End() {}
  static void Tile(const std::byte* x, int64_t x_strip, const std::byte* w, int64_t w_strip,
                   int64_t steps, int64_t rows, Sum* sums, const int32_t* starts) {
    for (int64_t t = 0; t < rows; ++t) {
      const std::byte* row = x + t / kStripRows * x_strip + t % kStripRows * kStepBytes;
      for (int64_t r = 0; r < kPanelRows; ++r) {
        const std::byte* column = w + r / kStripRows * w_strip + r % kStripRows * 4;
        Sum& sum = sums[t * kPanelRows + r];
        if (starts != nullptr) sum = 0;
        for (int64_t s = 0; s < steps; ++s) {
          for (int64_t g = 0; g < kStepBytes; g += 4) {
            for (int i = 0; i < Group::kValues; ++i) {
              sum += Group::Value(row + s * kTileBytes + g, i) *
                     Group::Value(column + s * kTileBytes + g / 4 * kStepBytes, i);
            }
          }
        }
      }
    }
  }
};

}  // namespace

constinit const PackedKernels kBFloat16 = {32, 0, simd::PackBFloat16<PackedLanes>,
                                           simd::Multiply<PackedLanes, ScalarDot<BFloat16Group>>};
constinit const PackedKernels kInt8 = {64, 0, simd::PackInt8<PackedLanes>,
                                       simd::Multiply<PackedLanes, ScalarDot<Int8Group>>};

}  // namespace gemma3n::reference
