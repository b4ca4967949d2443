#include "kernels/columns.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/file.h"
#include "kernels/blocks.h"

namespace gemma3n {
namespace {

constexpr int64_t kBlock = 32;      // rows and columns of a tile
constexpr int64_t kRun = 32;        // blocks of columns that are turned together
constexpr int64_t kLongPass = 256;  // rows of a pass beside which mapping pages anew costs nothing
constexpr int64_t kStrip = 128;     // rows that are: their levels of one column are a cache line

using Bytes16 = uint8_t __attribute__((vector_size(16)));

Bytes16 Load(const uint8_t* p) {
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

// 32 rows of one block each to 32 columns of 16 bytes, column_bytes apart.
void TurnTile(const std::byte* src, int64_t row_bytes, uint8_t* columns, int64_t column_bytes,
              uint8_t* scales) {
  Bytes16 low[16], high[16];
  for (int64_t j = 0; j < 16; ++j) {
    const auto* a = reinterpret_cast<const BlockQ4_0*>(src + j * row_bytes);
    const auto* b = reinterpret_cast<const BlockQ4_0*>(src + (j + 16) * row_bytes);
    const Bytes16 first = Load(a->qs), second = Load(b->qs);
    low[j] = (first & 15) | (second << 4);
    high[j] = (first >> 4) | (second & 240);
    std::memcpy(scales + 2 * j, a->d, 2);
    std::memcpy(scales + 2 * (j + 16), b->d, 2);
  }
  Transpose(low);
  Transpose(high);
  for (int64_t c = 0; c < 16; ++c) {
    std::memcpy(columns + c * column_bytes, &low[c], 16);
    std::memcpy(columns + (c + 16) * column_bytes, &high[c], 16);
  }
}

// Rows [begin, end), at most kStrip. Runs of blocks are copied first: rows lie a power of two
// apart as a rule, which the first-level cache bears badly.
void TurnStrip(const Matrix& w, int64_t begin, int64_t end, std::byte* out) {
  const ColumnMatrix layout{w.rows, w.cols, out};
  std::byte run[kStrip * kRun * sizeof(BlockQ4_0)];
  constexpr int64_t kRunBytes = kRun * static_cast<int64_t>(sizeof(BlockQ4_0));
  const int64_t blocks = w.cols / kBlock;
  for (int64_t first = 0; first < blocks; first += kRun) {
    const int64_t count = std::min(kRun, blocks - first);
    for (int64_t r = begin; r < end; ++r) {
      std::memcpy(run + (r - begin) * kRunBytes,
                  w.row(r) + first * static_cast<int64_t>(sizeof(BlockQ4_0)),
                  static_cast<size_t>(count) * sizeof(BlockQ4_0));
    }
    for (int64_t b = 0; b < count; ++b) {
      auto* block = reinterpret_cast<uint8_t*>(out) + (first + b) * layout.block_bytes();
      for (int64_t r = begin; r < end; r += kBlock) {
        TurnTile(run + (r - begin) * kRunBytes + b * static_cast<int64_t>(sizeof(BlockQ4_0)),
                 kRunBytes, block + 2 * w.rows + r / 2, w.rows / 2, block + 2 * r);
      }
    }
  }
}

}  // namespace

bool LazyColumns::Suits(const Matrix& w) {
  return w.dtype == DType::kQ4_0 && w.rows > 0 && w.rows % kBlock == 0 && w.cols % kBlock == 0;
}

ColumnMatrix LazyColumns::Get(ThreadPool& pool) {
  std::call_once(once_, [&] {
    const ColumnMatrix layout{w_.rows, w_.cols, nullptr};
    auto data = Buffer::Allocate(static_cast<size_t>(w_.cols / kBlock * layout.block_bytes()),
                                 "weights by column");
    if (!data.ok()) throw std::bad_alloc();
    data_ = std::move(data).value();
    pool.ParallelFor(w_.rows, kStrip, [&](int64_t begin, int64_t end) {
      for (; begin < end; begin += kStrip) {
        TurnStrip(w_, begin, std::min(begin + kStrip, end), data_.as<std::byte>());
      }
    });
    read_ = made_ = true;
  });
  LetGo();
  return {w_.rows, w_.cols, data_.as<std::byte>()};
}

void LazyColumns::WasRead(int64_t rows) {
  read_ = true;
  if (rows >= kLongPass && made_) LetGo();
}

void LazyColumns::LetGo() {
  if (!mapped_ || !read_.exchange(false)) return;
  ReleaseMappedPages({w_.data, w_.bytes()});
}

}  // namespace gemma3n
