// Random data, guarded buffers and the list of tables for the kernel tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/half.h"
#include "kernels/quantize.h"
#include "kernels/reference/reference.h"

namespace gemma3n {

inline constexpr int64_t kMaxCount = 2 * 16 + 3;  // twice the widest vector and a rest

class Random {
 public:
  explicit Random(uint32_t seed) : rng_(seed) {}
  float Normal() { return normal_(rng_); }
  std::vector<float> Normals(int64_t n, float scale = 1) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = scale * Normal();
    return v;
  }
  uint8_t Byte() { return static_cast<uint8_t>(rng_()); }

 private:
  std::mt19937 rng_;
  std::normal_distribution<float> normal_;
};

// n floats at an address `shift` floats past a 64-byte boundary, with guard values on both sides.
class Guarded {
 public:
  Guarded(const std::vector<float>& values, int shift)
      : size_(values.size()), storage_(values.size() + 64, kGuard) {
    auto address = reinterpret_cast<uintptr_t>(storage_.data() + 16);
    start_ = storage_.data() + 16 + (64 - address % 64) % 64 / sizeof(float) + shift;
    std::copy(values.begin(), values.end(), start_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    for (float* p = storage_.data(); p < storage_.data() + storage_.size(); ++p) {
      const bool inside = p >= start_ && p < start_ + size_;
      if (!inside) {
        EXPECT_EQ(*p, kGuard) << "written outside, at " << p - start_;
      }
    }
  }
  float* data() { return start_; }
  float operator[](size_t i) const { return start_[i]; }

 private:
  static constexpr float kGuard = -12345.5f;
  size_t size_;
  std::vector<float> storage_;
  float* start_;
};

// Bytes that end where an unreadable page begins: reading past them kills the test.
class AgainstPage {
 public:
  AgainstPage(const void* bytes, size_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t readable = (size + page - 1) / page * page;
    mapped_ = readable + page;
    void* memory =
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    base_ = static_cast<std::byte*>(memory);
    mprotect(base_ + readable, page, PROT_NONE);
    start_ = base_ + readable - size;
    if (size > 0) std::memcpy(start_, bytes, size);
  }
  explicit AgainstPage(const std::vector<float>& values)
      : AgainstPage(values.data(), values.size() * sizeof(float)) {}
  explicit AgainstPage(const std::vector<std::byte>& bytes)
      : AgainstPage(bytes.data(), bytes.size()) {}
  AgainstPage(const AgainstPage&) = delete;
  AgainstPage& operator=(const AgainstPage&) = delete;
  ~AgainstPage() { munmap(base_, mapped_); }
  std::byte* bytes() { return start_; }
  float* floats() { return reinterpret_cast<float*>(start_); }

 private:
  size_t mapped_;
  std::byte *base_, *start_;
};

// A row of any dtype with finite values: random quants under scales of about 0.01 .. 0.1.
inline std::vector<std::byte> RandomRow(DType dtype, int64_t cols, Random& random) {
  std::vector<std::byte> row(static_cast<size_t>(RowBytes(dtype, cols)));
  if (Traits(dtype).block_elements == 1) {
    const auto values = random.Normals(cols, 0.05f);
    QuantizeRow(dtype, values.data(), row.data(), cols);
    return row;
  }
  for (std::byte& b : row) b = std::byte{random.Byte()};
  const int block = Traits(dtype).block_bytes;
  // Offsets of the halves in a block.
  std::vector<int> halves = {0};
  if (dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || dtype == DType::kQ4_K ||
      dtype == DType::kQ5_K)
    halves = {0, 2};
  if (dtype == DType::kQ6_K) halves = {208};
  for (size_t at = 0; at < row.size(); at += block) {
    for (int offset : halves) {
      const uint16_t half = FloatToHalf(0.01f * random.Normal());
      std::memcpy(row.data() + at + offset, &half, 2);
    }
  }
  return row;
}

class EveryTable : public testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& table() const { return *GetParam(); }
};

inline std::string TableName(const testing::TestParamInfo<const KernelTable*>& info) {
  return info.param->name;
}

struct TestMatrix {
  std::vector<std::byte> bytes;
  Matrix matrix;
  std::vector<double> values;  // [rows, cols]
};

// extra_cols: the matrix is a column prefix of a wider one. offset: of its first byte from an
// aligned address; blocks may lie anywhere.
inline TestMatrix RandomMatrix(DType dtype, int64_t rows, int64_t cols, Random& random,
                               int64_t extra_cols, int64_t offset) {
  TestMatrix m;
  const int64_t row_bytes = RowBytes(dtype, cols + extra_cols);
  m.bytes.resize(static_cast<size_t>(rows * row_bytes + offset));
  m.values.resize(static_cast<size_t>(rows * cols));
  std::byte* start = m.bytes.data() + offset;
  std::vector<float> decoded(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = RandomRow(dtype, cols + extra_cols, random);
    std::memcpy(start + r * row_bytes, row.data(), row.size());
    reference::kTable.dequantize[static_cast<int>(dtype)](row.data(), decoded.data(), cols);
    for (int64_t c = 0; c < cols; ++c) m.values[r * cols + c] = decoded[c];
  }
  m.matrix = {dtype, rows, cols, row_bytes, start};
  return m;
}
inline TestMatrix RandomMatrix(DType dtype, int64_t rows, int64_t cols, Random& random,
                               int64_t extra_cols = 0) {
  return RandomMatrix(dtype, rows, cols, random, extra_cols,
                      Traits(dtype).block_elements > 1 ? 3 : 0);
}

}  // namespace gemma3n
