// Blocks of stored rows as vectors of floats, in registers. A Decoder<S, DType> has
//   kElements, kBytes   of a block
//   kPieces             parts of a block that are decoded one at a time
//   Open(p)             what the pieces of the block at p share: unpacked scales, or just p
//   Piece(open, k, use) calls use(i, v) for each vector v of piece k, i its first element in the
//   block
// Elements come in ascending order: sums over a row are then the same whether it is multiplied at
// once or written to memory first. All products here are exact (see reference/dequantize.cc).
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
  static constexpr int kElements = S::kLanes, kBytes = kSize * S::kLanes, kPieces = 1;
  static G3N_INLINE const void* Open(const void* p) { return p; }
};

template <class S>
struct Decoder<S, DType::kF32> : PlainDecoder<S, 4> {
  template <class Use>
  static G3N_INLINE void Piece(const void* p, int, Use use) {
    use(0, S::Load(p));
  }
};

template <class S>
struct Decoder<S, DType::kF16> : PlainDecoder<S, 2> {
  template <class Use>
  static G3N_INLINE void Piece(const void* p, int, Use use) {
    use(0, S::LoadHalf(p));
  }
};

template <class S>
struct Decoder<S, DType::kBF16> : PlainDecoder<S, 2> {
  template <class Use>
  static G3N_INLINE void Piece(const void* p, int, Use use) {
    use(0, S::LoadBFloat16(p));
  }
};

// Blocks of 32, in one piece.
template <class B>
struct SmallDecoder {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 32, kBytes = sizeof(B), kPieces = 1;
  static G3N_INLINE const B* Open(const void* p) { return static_cast<const B*>(p); }
};

// Super-blocks of 256.
template <class B, int kCount>
struct SuperDecoder {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 256, kBytes = sizeof(B), kPieces = kCount;
};

// 32 four-bit levels: low nibbles of 16 bytes, then high nibbles.
template <class S, class Levels, class Use>
G3N_INLINE void Nibbles32(const uint8_t* qs, const Levels& levels, int first, Use use) {
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) use(first + i, S::Level(levels, S::LoadU8(qs + i)));
  G3N_UNROLL
  for (int i = 0; i < 16; i += S::kLanes) {
    use(first + 16 + i, S::Level(levels, S::Shift(S::LoadU8(qs + i), -4)));
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
    use(16 + i, S::Add16WhereBit(S::Shift(S::LoadU8(qs + i), -4), qh + 2 + i / 8));
  }
}

template <class S>
struct Decoder<S, DType::kQ8_0> : SmallDecoder<BlockQ8_0> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockQ8_0* b, int, Use use) {
    const auto d = S::BroadcastHalf(b->d);
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) use(i, S::Mul(d, S::ToFloat(S::LoadI8(b->qs + i))));
  }
};

template <class S>
struct Decoder<S, DType::kQ4_0> : SmallDecoder<BlockQ4_0> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockQ4_0* b, int, Use use) {
    Nibbles32<S>(b->qs, S::Centered(S::BroadcastHalf(b->d), 8), 0, use);
  }
};

template <class S>
struct Decoder<S, DType::kQ4_1> : SmallDecoder<BlockQ4_1> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockQ4_1* b, int, Use use) {
    Nibbles32<S>(b->qs, S::Affine(S::BroadcastHalf(b->d), S::BroadcastHalf(b->m)), 0, use);
  }
};

template <class S>
struct Decoder<S, DType::kQ5_0> : SmallDecoder<BlockQ5_0> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockQ5_0* b, int, Use use) {
    const auto d = S::BroadcastHalf(b->d);
    Quints32<S>(b->qs, b->qh, [&](int i, typename S::I q) G3N_LAMBDA {
      use(i, S::Mul(d, S::ToFloat(S::Sub(q, 16))));
    });
  }
};

template <class S>
struct Decoder<S, DType::kQ5_1> : SmallDecoder<BlockQ5_1> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockQ5_1* b, int, Use use) {
    const auto d = S::BroadcastHalf(b->d), m = S::BroadcastHalf(b->m);
    Quints32<S>(b->qs, b->qh,
                [&](int i, typename S::I q) G3N_LAMBDA { use(i, S::Fma(d, S::ToFloat(q), m)); });
  }
};

template <class S>
struct Decoder<S, DType::kIQ4_NL> : SmallDecoder<BlockIQ4_NL> {
  template <class Use>
  static G3N_INLINE void Piece(const BlockIQ4_NL* b, int, Use use) {
    Nibbles32<S>(b->qs, S::Table(S::BroadcastHalf(b->d), kIQ4Values), 0, use);
  }
};

// The eight scales d * scale[s] and mins -dmin * min[s] of a Q4_K or Q5_K super-block.
template <class S, class B>
struct ScaleMins {
  const B& block;
  alignas(64) float values[16];  // scales 0 .. 3, mins 0 .. 3, scales 4 .. 7, mins 4 .. 7

  explicit G3N_INLINE ScaleMins(const void* p) : block(*static_cast<const B*>(p)) {
    const SixBits six = UnpackSixBits(block.scales);
    S::ScaleMins(six.first, six.last, block.d, values);
  }
  G3N_INLINE typename S::F Scale(int s) const { return S::Set1(values[s + (s & 4)]); }
  G3N_INLINE typename S::F Min(int s) const { return S::Set1(values[s + (s & 4) + 4]); }
};

template <class S>
struct Decoder<S, DType::kQ4_K> : SuperDecoder<BlockQ4_K, 4> {
  static G3N_INLINE ScaleMins<S, BlockQ4_K> Open(const void* p) {
    return ScaleMins<S, BlockQ4_K>(p);
  }
  template <class Use>
  static G3N_INLINE void Piece(const ScaleMins<S, BlockQ4_K>& m, int k, Use use) {
    const uint8_t* qs = m.block.qs + 32 * k;
    const auto low = S::Affine(m.Scale(2 * k), m.Min(2 * k));
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) use(64 * k + i, S::Level(low, S::LoadU8(qs + i)));
    const auto high = S::Affine(m.Scale(2 * k + 1), m.Min(2 * k + 1));
    G3N_UNROLL
    for (int i = 0; i < 32; i += S::kLanes) {
      use(64 * k + 32 + i, S::Level(high, S::Shift(S::LoadU8(qs + i), -4)));
    }
  }
};

template <class S>
struct Decoder<S, DType::kQ5_K> : SuperDecoder<BlockQ5_K, 4> {
  static G3N_INLINE ScaleMins<S, BlockQ5_K> Open(const void* p) {
    return ScaleMins<S, BlockQ5_K>(p);
  }
  template <class Use>
  static G3N_INLINE void Piece(const ScaleMins<S, BlockQ5_K>& m, int k, Use use) {
    G3N_UNROLL
    for (int j = 0; j < 64; j += S::kLanes) {
      const int s = 2 * k + j / 32, i = j % 32;
      const auto low = S::And(S::Shift(S::LoadU8(m.block.qs + 32 * k + i), -4 * (s % 2)), 15);
      const auto high = S::And(S::Shift(S::LoadU8(m.block.qh + i), 4 - s), 16);
      use(64 * k + j, S::Fma(m.Scale(s), S::ToFloat(S::Or(low, high)), m.Min(s)));
    }
  }
};

template <class S>
struct ScalesQ6_K {
  const BlockQ6_K& block;
  alignas(64) float values[16];

  explicit G3N_INLINE ScalesQ6_K(const void* p) : block(*static_cast<const BlockQ6_K*>(p)) {
    const auto d = S::BroadcastHalf(block.d);
    G3N_UNROLL
    for (int i = 0; i < 16; i += S::kLanes) {
      S::Store(values + i, S::Mul(d, S::ToFloat(S::LoadI8(block.scales + i))));
    }
    S::KeepInMemory(values);
  }
};

template <class S>
struct Decoder<S, DType::kQ6_K> : SuperDecoder<BlockQ6_K, 2> {
  static G3N_INLINE ScalesQ6_K<S> Open(const void* p) { return ScalesQ6_K<S>(p); }
  template <class Use>
  static G3N_INLINE void Piece(const ScalesQ6_K<S>& open, int half, Use use) {
    const uint8_t* ql = open.block.ql + 64 * half;
    const uint8_t* qh = open.block.qh + 32 * half;
    G3N_UNROLL
    for (int j = 0; j < 128; j += S::kLanes) {
      const int k = j / 32, i = j % 32;
      const auto low = S::And(S::Shift(S::LoadU8(ql + 32 * (k % 2) + i), -4 * (k / 2)), 15);
      const auto high = S::And(S::Shift(S::LoadU8(qh + i), 4 - 2 * k), 48);
      const auto q = S::Sub(S::Or(low, high), 32);
      use(128 * half + j, S::Mul(S::Set1(open.values[8 * half + j / 16]), S::ToFloat(q)));
    }
  }
};

struct ScalesIQ4_XS {
  const BlockIQ4_XS& block;
  float values[8];

  explicit G3N_INLINE ScalesIQ4_XS(const void* p) : block(*static_cast<const BlockIQ4_XS*>(p)) {
    const float d = HalfToFloat(LoadU16(block.d));
    for (int s = 0; s < 8; ++s) values[s] = d * static_cast<float>(UnpackScale(block, s));
  }
};

template <class S>
struct Decoder<S, DType::kIQ4_XS> : SuperDecoder<BlockIQ4_XS, 8> {
  static G3N_INLINE ScalesIQ4_XS Open(const void* p) { return ScalesIQ4_XS(p); }
  template <class Use>
  static G3N_INLINE void Piece(const ScalesIQ4_XS& open, int k, Use use) {
    Nibbles32<S>(open.block.qs + 16 * k, S::Table(S::Set1(open.values[k]), kIQ4Values), 32 * k,
                 use);
  }
};

// Every vector of the block at p.
template <class D, class Use>
G3N_INLINE void DecodeBlock(const void* p, Use use) {
  decltype(auto) open = D::Open(p);
  G3N_UNROLL
  for (int k = 0; k < D::kPieces; ++k) D::Piece(open, k, use);
}

// The last n < kLanes values of a row of plain floats, zeros after them.
template <class S, class D>
G3N_INLINE typename S::F PartialBlock(const void* p, int64_t n) {
  alignas(64) std::byte padded[D::kBytes] = {};
  std::memcpy(padded, p, static_cast<size_t>(n * (D::kBytes / D::kElements)));
  typename S::F result = S::Zero();
  D::Piece(padded, 0, [&](int, typename S::F v) G3N_LAMBDA { result = v; });
  return result;
}

// n values to memory.
template <class S, DType kType>
void Dequantize(const std::byte* src, float* dst, int64_t n) {
  using D = Decoder<S, kType>;
  int64_t i = 0;
  for (; i + D::kElements <= n; i += D::kElements, src += D::kBytes) {
    DecodeBlock<D>(src, [&](int j, typename S::F v) G3N_LAMBDA { S::Store(dst + i + j, v); });
  }
  if constexpr (D::kPlain) {
    if (i < n) S::StoreN(dst + i, PartialBlock<S, D>(src, n - i), n - i);
  }
}

}  // namespace gemma3n::simd
