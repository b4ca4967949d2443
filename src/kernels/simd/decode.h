// Blocks of stored rows as vectors of floats, in registers. Decoder<S, DType>::Block(p, use) calls
// use(i, v) for each vector v of the block at p, i its first element, in ascending order: sums over
// a row are then the same whether the block is multiplied at once or written to memory first. All
// products here are exact (see reference/dequantize.cc).
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/simd/common.h"
#include "tensor/dtype.h"

namespace gemma3n::simd {

template <class S, DType kType>
struct Decoder;

// Plain floats: a block is one vector, and a row may end in part of one.
template <class S, int kSize>
struct PlainDecoder {
  static constexpr bool kPlain = true;
  static constexpr int kElements = S::kLanes, kBytes = kSize * S::kLanes;
};

template <class S>
struct Decoder<S, DType::kF32> : PlainDecoder<S, 4> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    use(0, S::Load(p));
  }
};

template <class S>
struct Decoder<S, DType::kF16> : PlainDecoder<S, 2> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    use(0, S::LoadHalf(p));
  }
};

template <class S>
struct Decoder<S, DType::kBF16> : PlainDecoder<S, 2> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    use(0, S::LoadBFloat16(p));
  }
};

template <class B, int kCount>
struct BlockDecoder {
  static constexpr bool kPlain = false;
  static constexpr int kElements = kCount, kBytes = sizeof(B);
};

// 32 four-bit levels: low nibbles of 16 bytes, then high nibbles.
template <class S, class Levels, class Use>
G3N_INLINE void Nibbles32(const uint8_t* qs, const Levels& levels, int first, Use use) {
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) use(first + i, S::Level(levels, S::LoadU8(qs + i)));
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) {
    use(first + 16 + i, S::Level(levels, S::template ShiftRight<4>(S::LoadU8(qs + i))));
  }
}

// 32 five-bit integers: nibbles as above and a fifth bit each.
template <class S, class Use>
G3N_INLINE void Quints32(const uint8_t* qs, const uint8_t* qh, Use use) {
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) {
    use(i, S::Add16WhereBit(S::And(S::LoadU8(qs + i), 15), qh + i / 8));
  }
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) {
    use(16 + i, S::Add16WhereBit(S::template ShiftRight<4>(S::LoadU8(qs + i)), qh + 2 + i / 8));
  }
}

template <class S>
struct Decoder<S, DType::kQ8_0> : BlockDecoder<BlockQ8_0, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ8_0*>(p);
    const auto d = S::BroadcastHalf(b.d);
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) use(i, S::Mul(d, S::ToFloat(S::LoadI8(b.qs + i))));
  }
};

template <class S>
struct Decoder<S, DType::kQ4_0> : BlockDecoder<BlockQ4_0, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ4_0*>(p);
    Nibbles32<S>(b.qs, S::Centered(S::BroadcastHalf(b.d), 8), 0, use);
  }
};

template <class S>
struct Decoder<S, DType::kQ4_1> : BlockDecoder<BlockQ4_1, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ4_1*>(p);
    Nibbles32<S>(b.qs, S::Affine(S::BroadcastHalf(b.d), S::BroadcastHalf(b.m)), 0, use);
  }
};

template <class S>
struct Decoder<S, DType::kQ5_0> : BlockDecoder<BlockQ5_0, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ5_0*>(p);
    const auto d = S::BroadcastHalf(b.d);
    Quints32<S>(b.qs, b.qh, [&](int i, typename S::I q) G3N_LAMBDA {
      use(i, S::Mul(d, S::ToFloat(S::Sub(q, 16))));
    });
  }
};

template <class S>
struct Decoder<S, DType::kQ5_1> : BlockDecoder<BlockQ5_1, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ5_1*>(p);
    const auto d = S::BroadcastHalf(b.d), m = S::BroadcastHalf(b.m);
    Quints32<S>(b.qs, b.qh,
                [&](int i, typename S::I q) G3N_LAMBDA { use(i, S::Fma(d, S::ToFloat(q), m)); });
  }
};

template <class S>
struct Decoder<S, DType::kIQ4_NL> : BlockDecoder<BlockIQ4_NL, 32> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockIQ4_NL*>(p);
    Nibbles32<S>(b.qs, S::Table(S::BroadcastHalf(b.d), kIQ4Values), 0, use);
  }
};

// The eight scales d * scale[s] and mins -dmin * min[s] of a Q4_K or Q5_K super-block.
template <class S>
struct ScaleMins {
  float scale[8], min[8];

  template <class B>
  explicit G3N_INLINE ScaleMins(const B& b) {
    uint32_t word[3];  // the 24 six-bit numbers, four at a time; see UnpackScaleMin
    std::memcpy(word, b.scales, sizeof(word));
    const uint32_t packed[4] = {
        word[0] & 0x3f3f3f3f, (word[2] & 0x0f0f0f0f) | (word[0] >> 6 & 0x03030303) << 4,
        word[1] & 0x3f3f3f3f, (word[2] >> 4 & 0x0f0f0f0f) | (word[1] >> 6 & 0x03030303) << 4};
    uint8_t bytes[16];
    std::memcpy(bytes, packed, sizeof(bytes));
    float raw[16];
    for (int i = 0; i < 16; i += S::kLanes) S::Store(raw + i, S::ToFloat(S::LoadU8(bytes + i)));
    const float d = HalfToFloat(LoadU16(b.d)), dmin = HalfToFloat(LoadU16(b.dmin));
    for (int s = 0; s < 8; ++s) {
      scale[s] = d * raw[s];
      min[s] = -dmin * raw[s + 8];
    }
  }
};

template <class S>
struct Decoder<S, DType::kQ4_K> : BlockDecoder<BlockQ4_K, 256> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ4_K*>(p);
    const ScaleMins<S> m(b);
    for (int s = 0; s < 8; s += 2) {
      const uint8_t* qs = b.qs + 16 * s;
      const auto low = S::Affine(S::Set1(m.scale[s]), S::Set1(m.min[s]));
      G3N_UNROLL
      for (int i = 0; i < 32; i += S::kLanes) use(32 * s + i, S::Level(low, S::LoadU8(qs + i)));
      const auto high = S::Affine(S::Set1(m.scale[s + 1]), S::Set1(m.min[s + 1]));
      G3N_UNROLL
      for (int i = 0; i < 32; i += S::kLanes) {
        use(32 * s + 32 + i, S::Level(high, S::template ShiftRight<4>(S::LoadU8(qs + i))));
      }
    }
  }
};

template <class S>
struct Decoder<S, DType::kQ5_K> : BlockDecoder<BlockQ5_K, 256> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ5_K*>(p);
    const ScaleMins<S> m(b);
    for (int s = 0; s < 8; ++s) {
      const auto scale = S::Set1(m.scale[s]), min = S::Set1(m.min[s]);
      G3N_UNROLL
      for (int i = 0; i < 32; i += S::kLanes) {
        const auto low = S::And(S::ShiftRight(S::LoadU8(b.qs + 32 * (s / 2) + i), 4 * (s % 2)), 15);
        const auto high = S::And(S::ShiftRight(S::LoadU8(b.qh + i), s), 1);
        const auto q = S::Or(low, S::template ShiftLeft<4>(high));
        use(32 * s + i, S::Fma(scale, S::ToFloat(q), min));
      }
    }
  }
};

template <class S>
struct Decoder<S, DType::kQ6_K> : BlockDecoder<BlockQ6_K, 256> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockQ6_K*>(p);
    float scale[16];
    const auto d = S::BroadcastHalf(b.d);
    for (int i = 0; i < 16; i += S::kLanes) {
      S::Store(scale + i, S::Mul(d, S::ToFloat(S::LoadI8(b.scales + i))));
    }
    for (int j = 0; j < 256; j += 32) {
      const int half = j / 128, k = j % 128 / 32;
      G3N_UNROLL
      for (int i = 0; i < 32; i += S::kLanes) {
        const auto nibbles = S::LoadU8(b.ql + 64 * half + 32 * (k % 2) + i);
        const auto low = S::And(S::ShiftRight(nibbles, 4 * (k / 2)), 15);
        const auto high = S::And(S::ShiftRight(S::LoadU8(b.qh + 32 * half + i), 2 * k), 3);
        const auto q = S::Sub(S::Or(low, S::template ShiftLeft<4>(high)), 32);
        use(j + i, S::Mul(S::Set1(scale[(j + i) / 16]), S::ToFloat(q)));
      }
    }
  }
};

template <class S>
struct Decoder<S, DType::kIQ4_XS> : BlockDecoder<BlockIQ4_XS, 256> {
  template <class Use>
  static G3N_INLINE void Block(const void* p, Use use) {
    const auto& b = *static_cast<const BlockIQ4_XS*>(p);
    const float d = HalfToFloat(LoadU16(b.d));
    for (int s = 0; s < 8; ++s) {
      const auto scale = S::Set1(d * static_cast<float>(UnpackScale(b, s)));
      Nibbles32<S>(b.qs + 16 * s, S::Table(scale, kIQ4Values), 32 * s, use);
    }
  }
};

// The last n < kLanes values of a row of plain floats, zeros after them.
template <class S, class D>
G3N_INLINE typename S::F PartialBlock(const void* p, int64_t n) {
  alignas(64) std::byte padded[D::kBytes] = {};
  std::memcpy(padded, p, static_cast<size_t>(n * (D::kBytes / D::kElements)));
  typename S::F result = S::Zero();
  D::Block(padded, [&](int, typename S::F v) G3N_LAMBDA { result = v; });
  return result;
}

// n values to memory.
template <class S, DType kType>
void Dequantize(const std::byte* src, float* dst, int64_t n) {
  using D = Decoder<S, kType>;
  int64_t i = 0;
  for (; i + D::kElements <= n; i += D::kElements, src += D::kBytes) {
    D::Block(src, [&](int j, typename S::F v) G3N_LAMBDA { S::Store(dst + i + j, v); });
  }
  if constexpr (D::kPlain) {
    if (i < n) S::StoreN(dst + i, PartialBlock<S, D>(src, n - i), n - i);
  }
}

}  // namespace gemma3n::simd
