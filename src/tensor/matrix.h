// Plain views of numbers: weight matrices of any dtype, and float32 activations. No std containers, so that kernel
// files built with wide instruction sets may include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace gemma3n {

// A weight matrix [rows, cols] of any dtype; y = W x. A prefix of rows or columns is another Matrix over the same bytes.
struct Matrix {
  DType dtype = DType::kF32;
  int64_t rows = 0, cols = 0;
  int64_t row_bytes = 0;            // from one row to the next; more than RowBytes(dtype, cols) in a column prefix
  const std::byte* data = nullptr;  // not owned

  const std::byte* row(int64_t r) const { return data + r * row_bytes; }
  bool empty() const { return data == nullptr; }
  size_t bytes() const { return static_cast<size_t>(rows * row_bytes); }
  Matrix RowSlice(int64_t begin, int64_t count) const {
    Matrix m = *this;
    m.data = row(begin);
    m.rows = count;
    return m;
  }
  // The first `count` columns. Precondition: count is a multiple of the dtype's block_elements.
  Matrix ColPrefix(int64_t count) const {
    Matrix m = *this;
    m.cols = count;
    return m;
  }
};

// Float32 activations [rows, cols], rows `stride` floats apart.
struct View {
  float* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;

  View() = default;
  View(float* d, int64_t r, int64_t c) : data(d), rows(r), cols(c), stride(c) {}
  View(float* d, int64_t r, int64_t c, int64_t s) : data(d), rows(r), cols(c), stride(s) {}
  float* row(int64_t r) const { return data + r * stride; }
  View Rows(int64_t begin, int64_t count) const { return {row(begin), count, cols, stride}; }
  View Cols(int64_t begin, int64_t count) const { return {data + begin, rows, count, stride}; }
};

struct ConstView {
  const float* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;

  ConstView() = default;
  ConstView(const View& v) : data(v.data), rows(v.rows), cols(v.cols), stride(v.stride) {}  // NOLINT
  ConstView(const float* d, int64_t r, int64_t c) : data(d), rows(r), cols(c), stride(c) {}
  ConstView(const float* d, int64_t r, int64_t c, int64_t s) : data(d), rows(r), cols(c), stride(s) {}
  const float* row(int64_t r) const { return data + r * stride; }
  ConstView Rows(int64_t begin, int64_t count) const { return {row(begin), count, cols, stride}; }
};

}  // namespace gemma3n
