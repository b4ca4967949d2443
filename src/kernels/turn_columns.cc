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

// 16 x 16 bytes, turned by four perfect shuffles.
void Transpose(Bytes16 (&m)[16]) {
  for (int round = 0; round < 4; ++round) {
    Bytes16 next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = __builtin_shufflevector(m[i], m[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                            21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(m[i], m[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                28, 13, 29, 14, 30, 15, 31);
    }
    std::copy(next, next + 16, m);
  }
}

// A stored type's blocks: Levels(block, i) are those of columns 16 i .. 16 i + 15, a byte each.
template <DType kType>
struct Stored;

template <>
struct Stored<DType::kQ4_0> {
  using Block = BlockQ4_0;
  static Bytes16 Levels(const Block& block, int i) {
    return i == 0 ? Load(block.qs) & 15 : Load(block.qs) >> 4;
  }
};

template <>
struct Stored<DType::kQ8_0> {
  using Block = BlockQ8_0;
  static Bytes16 Levels(const Block& block, int i) { return Load(block.qs + 16 * i); }
};

// What 32 rows of w and 16 columns of a block become.
template <DType kType>
class Tile {
  static constexpr ColumnLayout kLayout = LayoutByColumns(kType);
  using Block = typename Stored<kType>::Block;

 public:
  // The blocks of row 0 and, `row_bytes` apart, of the others; columns 16 i and up of them.
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

  // out: of row 0 in the first column.
  void Store(std::byte* out, int64_t column_bytes) const {
    for (const Bytes16* column = first_; column < first_ + 16; ++column, out += column_bytes) {
      std::memcpy(out, column, 16);
      if constexpr (kLayout.bits == 8) std::memcpy(out + 16, column + (second_ - first_), 16);
    }
  }

 private:
  Bytes16 first_[16], second_[16];  // rows 0 .. 15, 16 .. 31 (4 bits: in `first_` as well)
};

// At most kStrip rows. Runs of blocks are copied first: rows lie a power of two apart as a rule,
// which the first-level cache bears badly.
template <DType kType>
void TurnStrip(const Matrix& w, int64_t begin, int64_t end, std::byte* out) {
  using Block = typename Stored<kType>::Block;
  constexpr ColumnLayout kLayout = LayoutByColumns(kType);
  constexpr int64_t kBytes = sizeof(Block), kRun = kRunBytes / kBytes;
  const int64_t blocks = w.cols / kLayout.block, column_bytes = kLayout.column_bytes(w.rows);
  std::byte run[kStrip * kRunBytes];
  for (int64_t first = 0; first < blocks; first += kRun) {
    const int64_t count = std::min(kRun, blocks - first);
    for (int64_t r = begin; r < end; ++r) {
      std::memcpy(run + (r - begin) * kRunBytes, w.row(r) + first * kBytes,
                  static_cast<size_t>(count * kBytes));
    }
    for (int64_t b = 0; b < count; ++b) {
      const int64_t col = (first + b) * kLayout.block;
      for (int64_t r = begin; r < end; r += kColumnTile) {
        const std::byte* src = run + (r - begin) * kRunBytes + b * kBytes;
        for (int64_t j = 0; j < kColumnTile; ++j) {
          std::memcpy(out + kLayout.scales(w.rows, col) + 2 * (r + j),
                      reinterpret_cast<const Block*>(src + j * kRunBytes)->d, 2);
        }
        for (int i = 0; i < kLayout.block / 16; ++i) {
          Tile<kType>(src, kRunBytes, i)
              .Store(out + kLayout.levels(w.rows, col + 16 * i) + kLayout.column_bytes(r),
                     column_bytes);
        }
      }
    }
  }
}

}  // namespace

void TurnColumns(const Matrix& w, int64_t begin, int64_t end, std::byte* out) {
  for (; begin < end; begin += kStrip) {
    const int64_t stop = std::min(begin + kStrip, end);
    switch (w.dtype) {
      case DType::kQ4_0:
        TurnStrip<DType::kQ4_0>(w, begin, stop, out);
        break;
      case DType::kQ8_0:
        TurnStrip<DType::kQ8_0>(w, begin, stop, out);
        break;
      default:
        break;
    }
  }
}

}  // namespace gemma3n
