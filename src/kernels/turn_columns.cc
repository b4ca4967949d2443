#include "kernels/turn_columns.h"

#include <algorithm>
#include <cstring>

#include "kernels/blocks.h"

namespace gemma3n {
namespace {

using Bytes16 = uint8_t __attribute__((vector_size(16)));

constexpr int64_t kStrip = 128;         // rows that are copied together
constexpr int64_t kRunBytes = 32 * 18;  // of each row, at most

Bytes16 Load(const void* p) {
  Bytes16 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// A byte of a, one of b, and so on: a perfect shuffle.
void Shuffle(Bytes16 a, Bytes16 b, Bytes16 out[2]) {
  out[0] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  out[1] =
      __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// 16 x 16 bytes, turned by four of them.
void Transpose(Bytes16 (&m)[16]) {
  for (int round = 0; round < 4; ++round) {
    Bytes16 next[16];
    for (int i = 0; i < 8; ++i) Shuffle(m[i], m[i + 8], next + 2 * i);
    std::copy(next, next + 16, m);
  }
}

// Bit 0 of each byte, the first in bit 0.
uint16_t Bits(Bytes16 v) {
  v &= 1;
  uint64_t halves[2];
  std::memcpy(halves, &v, sizeof(v));
  constexpr uint64_t kGather = 0x0102040810204080;  // moves bit 0 of byte j to bit 56 + j
  return static_cast<uint16_t>(halves[0] * kGather >> 56 | halves[1] * kGather >> 56 << 8);
}

// What the columns of a row's block share.
struct Factors {
  uint8_t halves[2][2];
  uint8_t bytes[2][16];  // of each part
};

// A stored type's blocks. Levels(block, i) are those of columns 16 i .. 16 i + 15, a byte each; of
// values of 16 bits the bytes of eight columns.
template <DType kType>
struct Stored;

struct PlainStored {
  struct Block {
    uint8_t values[16];
  };
  static Bytes16 Levels(const Block& block, int) { return Load(block.values); }
};

template <>
struct Stored<DType::kF16> : PlainStored {};
template <>
struct Stored<DType::kBF16> : PlainStored {};

template <class B>
struct SmallStored {
  using Block = B;
  static Factors Share(const Block& block) { return {.halves = {{block.d[0], block.d[1]}}}; }
};

template <>
struct Stored<DType::kQ4_0> : SmallStored<BlockQ4_0> {
  static Bytes16 Levels(const Block& block, int i) {
    return i == 0 ? Load(block.qs) & 15 : Load(block.qs) >> 4;
  }
};

template <>
struct Stored<DType::kQ8_0> : SmallStored<BlockQ8_0> {
  static Bytes16 Levels(const Block& block, int i) { return Load(block.qs + 16 * i); }
};

// Q4_K and Q5_K. The mins are subtracted: their half changes its sign.
template <class B>
struct SixBitStored {
  using Block = B;
  static Factors Share(const Block& block) {
    Factors shared = {};
    std::memcpy(shared.halves[0], block.d, 2);
    shared.halves[1][0] = block.dmin[0];
    shared.halves[1][1] = block.dmin[1] ^ 0x80;
    const SixBits six = UnpackSixBits(block.scales);
    std::memcpy(shared.bytes[0], &six.scales, 8);
    std::memcpy(shared.bytes[1], &six.mins, 8);
    return shared;
  }
  static Bytes16 Levels(const Block& block, int i) {
    const int s = i / 2;
    Bytes16 q = Load(block.qs + 32 * (s / 2) + 16 * (i % 2));
    q = s % 2 == 0 ? q & 15 : q >> 4;
    if constexpr (kHasFifthBits<Block>) q |= (Load(block.qh + 16 * (i % 2)) >> s & 1) << 4;
    return q;
  }
};

template <>
struct Stored<DType::kQ4_K> : SixBitStored<BlockQ4_K> {};
template <>
struct Stored<DType::kQ5_K> : SixBitStored<BlockQ5_K> {};

template <>
struct Stored<DType::kQ6_K> {
  using Block = BlockQ6_K;
  static Factors Share(const Block& block) {
    Factors shared = {.halves = {{block.d[0], block.d[1]}}};
    std::memcpy(shared.bytes[0], block.scales, 16);
    return shared;
  }
  static Bytes16 Levels(const Block& block, int i) {
    const int half = i / 8, k = i % 8 / 2, at = 16 * (i % 2);
    const Bytes16 low = Load(block.ql + 64 * half + 32 * (k % 2) + at) >> 4 * (k / 2) & 15;
    const Bytes16 high = Load(block.qh + 32 * half + at) >> 2 * k & 3;
    return (low | high << 4) - 32;
  }
};

// What 32 rows of w and kColumns columns of a block become.
template <DType kType>
class Tile {
  static constexpr ColumnLayout kLayout = LayoutByColumns(kType);
  using Block = typename Stored<kType>::Block;

 public:
  static constexpr int kColumns = kLayout.bits == 16 ? 8 : 16;

  // The blocks of row 0 and, `row_bytes` apart, of the others; columns kColumns * i and up of them.
  Tile(const std::byte* src, int64_t row_bytes, int i) {
    for (int64_t j = 0; j < 16; ++j) {
      const auto levels = [&](int64_t row) {
        return Stored<kType>::Levels(*reinterpret_cast<const Block*>(src + row * row_bytes), i);
      };
      first_[j] = levels(j), second_[j] = levels(j + 16);
      if constexpr (kLayout.bits == 4) first_[j] |= second_[j] << 4;
    }
    Transpose(first_);
    if constexpr (kLayout.bits != 4) Transpose(second_);
  }

  // As rows r and up of columns that begin at out.
  void Store(std::byte* out, int64_t rows, int64_t r) const {
    for (int c = 0; c < kColumns; ++c, out += kLayout.column_bytes(rows)) {
      if constexpr (kLayout.bits == 16) {
        Bytes16 words[4];
        Shuffle(first_[2 * c], first_[2 * c + 1], words);
        Shuffle(second_[2 * c], second_[2 * c + 1], words + 2);
        std::memcpy(out + 2 * r, words, sizeof(words));
      } else if constexpr (kLayout.bits == 8) {
        std::memcpy(out + r, &first_[c], 16);
        std::memcpy(out + r + 16, &second_[c], 16);
      } else {
        Bytes16 pairs = first_[c];
        if constexpr (kLayout.bits == 5) {
          pairs = (pairs & 15) | second_[c] << 4;
          const uint16_t fifth[2] = {Bits(first_[c] >> 4), Bits(second_[c] >> 4)};
          std::memcpy(out + rows / 2 + r / 8, fifth, 4);
        }
        std::memcpy(out + r / 2, &pairs, 16);
      }
    }
  }

 private:
  Bytes16 first_[16], second_[16];  // rows 0 .. 15, 16 .. 31 (4 bits: in `first_` as well)
};

// At most kStrip rows. Runs of blocks are copied first: rows lie a power of two apart as a rule,
// which the first-level cache bears badly.
template <DType kType>
class Strip {
  using Block = typename Stored<kType>::Block;
  static constexpr ColumnLayout kLayout = LayoutByColumns(kType);
  static constexpr int64_t kBytes = sizeof(Block), kRun = kRunBytes / kBytes;

 public:
  Strip(const Matrix& w, int64_t begin, int64_t end, std::byte* out)
      : w_(w), begin_(begin), end_(end), out_(out) {}

  void Turn() {
    const int64_t blocks = w_.cols / kLayout.block;
    for (int64_t first = 0; first < blocks; first += kRun) {
      const int64_t count = std::min(kRun, blocks - first);
      for (int64_t r = begin_; r < end_; ++r) {
        std::memcpy(run_ + (r - begin_) * kRunBytes, w_.row(r) + first * kBytes,
                    static_cast<size_t>(count * kBytes));
      }
      for (int64_t b = 0; b < count; ++b) {
        if constexpr (kLayout.factors > 0)
          TurnFactors(run_ + b * kBytes, (first + b) * kLayout.block);
        TurnLevels(run_ + b * kBytes, (first + b) * kLayout.block);
      }
    }
  }

 private:
  // src: the first row's block, which begins with column `col`.
  void TurnFactors(const std::byte* src, int64_t col) {
    for (int64_t r = begin_; r < end_; ++r, src += kRunBytes) {
      const Factors shared = Stored<kType>::Share(*reinterpret_cast<const Block*>(src));
      for (int i = 0; i < kLayout.factors; ++i) {
        const int64_t at = i * w_.rows + r;
        std::memcpy(out_ + kLayout.halves(w_.rows, col) + 2 * at, shared.halves[i], 2);
        if constexpr (!kLayout.has_bytes()) continue;
        std::byte* out = out_ + kLayout.bytes(w_.rows, col) + at;
        for (int p = 0; p < kLayout.block / kLayout.part; ++p)
          out[p * kLayout.part_bytes(w_.rows)] = std::byte{shared.bytes[i][p]};
      }
    }
  }
  void TurnLevels(const std::byte* src, int64_t col) {
    constexpr int kColumns = Tile<kType>::kColumns;
    for (int i = 0; i < kLayout.block / kColumns; ++i) {
      std::byte* const out = out_ + kLayout.levels(w_.rows, col + kColumns * i);
      for (int64_t r = begin_; r < end_; r += kColumnTile)
        Tile<kType>(src + (r - begin_) * kRunBytes, kRunBytes, i).Store(out, w_.rows, r);
    }
  }

  const Matrix& w_;
  const int64_t begin_, end_;
  std::byte* const out_;
  std::byte run_[kStrip * kRunBytes];
};

template <DType kType>
void Turn(const Matrix& w, int64_t begin, int64_t end, std::byte* out) {
  for (; begin < end; begin += kStrip)
    Strip<kType>(w, begin, std::min(begin + kStrip, end), out).Turn();
}

}  // namespace

void TurnColumns(const Matrix& w, int64_t begin, int64_t end, std::byte* out) {
  switch (w.dtype) {
    case DType::kF16:
      return Turn<DType::kF16>(w, begin, end, out);
    case DType::kBF16:
      return Turn<DType::kBF16>(w, begin, end, out);
    case DType::kQ4_0:
      return Turn<DType::kQ4_0>(w, begin, end, out);
    case DType::kQ8_0:
      return Turn<DType::kQ8_0>(w, begin, end, out);
    case DType::kQ4_K:
      return Turn<DType::kQ4_K>(w, begin, end, out);
    case DType::kQ5_K:
      return Turn<DType::kQ5_K>(w, begin, end, out);
    case DType::kQ6_K:
      return Turn<DType::kQ6_K>(w, begin, end, out);
    default:
      return;
  }
}

}  // namespace gemma3n
