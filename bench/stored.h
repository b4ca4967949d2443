// What benches of matrix products share: time, and stored matrices of random values.
#pragma once

#include <cstring>
#include <ctime>
#include <random>
#include <vector>

#include "kernels/quantize.h"
#include "tensor/matrix.h"

namespace gemma3n {

inline double Seconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Of one thread its own processor time, which other work on the machine distorts less.
inline clockid_t ClockFor(int threads) {
  return threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
}

// 64 rows of small normal values, again and again.
struct Stored {
  std::vector<std::byte> bytes;
  Matrix matrix;
  Stored(DType dtype, int64_t rows, int64_t cols, std::mt19937& rng) {
    const int64_t row_bytes = RowBytes(dtype, cols);
    bytes.resize(static_cast<size_t>(rows * row_bytes));
    std::normal_distribution<float> normal;
    std::vector<float> row(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r) {
      std::byte* out = bytes.data() + r * row_bytes;
      if (r < 64) {
        for (float& v : row) v = 0.02f * normal(rng);
        QuantizeRow(dtype, row.data(), out, cols);
      } else {
        std::memcpy(out, bytes.data() + r % 64 * row_bytes, static_cast<size_t>(row_bytes));
      }
    }
    matrix = {dtype, rows, cols, row_bytes, bytes.data()};
  }
};

}  // namespace gemma3n
