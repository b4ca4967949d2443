// Stored blocks as the products of simd/few_rows.h take them, in the vocabulary V of lanes.
#pragma once

#include <cstddef>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"
#include "tensor/dtype.h"

namespace gemma3n::simd {

// What a vector (or two) of W is: bytes and their scale per lane; min: what is added per unit of x.
template <class V, int kVectors>
struct WeightUnit {
  typename V::B w[kVectors];
  typename V::F scale, min;
};

// A FewBlock<V, DType> has
//   kColumns, kBytes   of a group: what is decoded together
//   kUnits, kVectors   of a group; vectors of bytes that share a lane's sums
//   kCentre            log2 of the centre of the weights, -1 where zero is the centre
//   kSigned, kHasMin   signed bytes; y gains min * sum(x)
//   Open(p), Unit(open, u)
template <class V, DType kType>
struct FewBlock;

template <class V>
struct FewBlock<V, DType::kQ4_0> {
  static constexpr int kColumns = 2 * V::kBytes, kBytes = kColumns / 32 * 18;
  static constexpr int kUnits = 1, kVectors = 2, kCentre = 3 + V::kNibbleShift;
  static constexpr bool kSigned = false, kHasMin = false;
  static constexpr float kScale = 1.0f / (1 << V::kNibbleShift);
  static G3N_INLINE const std::byte* Open(const std::byte* p) { return p; }
  static G3N_INLINE WeightUnit<V, 2> Unit(const std::byte* p, int) {
    const auto z = V::NibblesQ4_0(p);
    constexpr int kUp = V::kNibbleShift;
    return {{V::template Field<kUp, 15 << kUp>(z), V::template Field<kUp - 4, 15 << kUp>(z)},
            V::ScalesQ4_0(p),
            V::Zero()};
  }
};

template <class V>
struct FewBlock<V, DType::kQ8_0> {
  static constexpr int kColumns = V::kBytes, kBytes = kColumns / 32 * 34;
  static constexpr int kUnits = 1, kVectors = 1, kCentre = V::kSignedBytes ? -1 : 7;
  static constexpr bool kSigned = true, kHasMin = false;
  static constexpr float kScale = 1;
  static G3N_INLINE const std::byte* Open(const std::byte* p) { return p; }
  static G3N_INLINE WeightUnit<V, 1> Unit(const std::byte* p, int) {
    return {{V::BytesQ8_0(p)}, V::ScalesQ8_0(p), V::Zero()};
  }
};

template <class V>
struct FewBlock<V, DType::kQ6_K> {
  static constexpr int kColumns = 256, kBytes = sizeof(BlockQ6_K);
  static constexpr int kUnits = 256 / V::kBytes, kVectors = 1, kCentre = 5 + V::kSextetShift;
  static constexpr bool kSigned = false, kHasMin = false;
  static constexpr float kScale = 1.0f / (1 << V::kSextetShift);
  struct Opened {
    const BlockQ6_K* block;
    typename V::Scales scales;
  };
  static G3N_INLINE Opened Open(const std::byte* p) {
    const auto* block = reinterpret_cast<const BlockQ6_K*>(p);
    return {block, V::ScalesQ6_K(*block)};
  }
  static G3N_INLINE WeightUnit<V, 1> Unit(const Opened& open, int u) {
    return {{V::BytesQ6_K(*open.block, u)}, V::template Pick<4>(open.scales, 0, u), V::Zero()};
  }
};

// Super-blocks with scales and mins of six bits.
template <class V, class B>
struct FewSuperBlock {
  static constexpr int kColumns = 256, kBytes = sizeof(B);
  static constexpr int kUnits = 256 / V::kBytes, kVectors = 1, kCentre = -1;
  static constexpr bool kSigned = false, kHasMin = true;
  static constexpr float kScale = 1;
  struct Opened {
    const B* block;
    typename V::Scales scales;  // eight scales, then eight mins
  };
  static G3N_INLINE Opened Open(const std::byte* p) {
    const auto* block = reinterpret_cast<const B*>(p);
    const SixBits six = UnpackSixBits(block->scales);
    return {block, V::ScalesAndMins(six.scales, six.mins, block->d)};
  }
  static G3N_INLINE WeightUnit<V, 1> Unit(const Opened& open, int u) {
    return {{V::SuperBytes(*open.block, u)},
            V::template Pick<8>(open.scales, 0, u),
            V::template Pick<8>(open.scales, 8, u)};
  }
};
template <class V>
struct FewBlock<V, DType::kQ4_K> : FewSuperBlock<V, BlockQ4_K> {};
template <class V>
struct FewBlock<V, DType::kQ5_K> : FewSuperBlock<V, BlockQ5_K> {};

// The levels of the non-linear types, as the bytes of Q8_0 are multiplied.
template <class V>
struct LevelsIQ4 {
  alignas(16) uint8_t values[16];
  constexpr LevelsIQ4() : values() {
    for (int i = 0; i < 16; ++i)
      values[i] = static_cast<uint8_t>(kIQ4Values[i] + (V::kSignedBytes ? 0 : 128));
  }
};

template <class V>
inline constexpr LevelsIQ4<V> kLevelsIQ4 = {};

template <class V>
struct FewBlock<V, DType::kIQ4_NL> : FewBlock<V, DType::kQ4_0> {
  static constexpr int kCentre = V::kSignedBytes ? -1 : 7;
  static constexpr bool kSigned = true;
  static constexpr float kScale = 1;
  static G3N_INLINE WeightUnit<V, 2> Unit(const std::byte* p, int) {
    const auto z = V::NibblesQ4_0(p);
    return {{V::LookUp(V::template Field<0, 15>(z), kLevelsIQ4<V>.values),
             V::LookUp(V::template Field<-4, 15>(z), kLevelsIQ4<V>.values)},
            V::ScalesQ4_0(p),
            V::Zero()};
  }
};

template <class V>
struct FewBlock<V, DType::kIQ4_XS> {
  static constexpr int kColumns = 256, kBytes = sizeof(BlockIQ4_XS);
  static constexpr int kUnits = 256 / V::kBytes, kVectors = 1;
  static constexpr int kCentre = V::kSignedBytes ? -1 : 7;
  static constexpr bool kSigned = true, kHasMin = false;
  static constexpr float kScale = 1;
  struct Opened {
    const BlockIQ4_XS* block;
    typename V::Scales scales;
  };
  static G3N_INLINE Opened Open(const std::byte* p) {
    const auto* block = reinterpret_cast<const BlockIQ4_XS*>(p);
    return {block, V::ScalesIQ4_XS(*block)};
  }
  static G3N_INLINE WeightUnit<V, 1> Unit(const Opened& open, int u) {
    return {{V::LookUp(V::NibblesIQ4_XS(*open.block, u), kLevelsIQ4<V>.values)},
            V::template Pick<8>(open.scales, 0, u),
            V::Zero()};
  }
};

}  // namespace gemma3n::simd
