// Where the numbers of a matrix by columns (columns.h) lie. Columns are cut into blocks, as the
// stored type's rows are. For each block: the scales of all rows (halves), then column after column
// the levels of all rows.
//   4 bits   in each 16 bytes those of 32 rows: row j in the low nibble of byte j, row j + 16 in
//            the high one
//   8 bits   a signed byte each
//
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace gemma3n {

struct ColumnLayout {
  int block = 0;  // columns that share scales; 0: the type has no such layout
  int bits = 0;   // of a level

  // Bytes of so many rows.
  constexpr int64_t column_bytes(int64_t rows) const { return rows * bits / 8; }
  constexpr int64_t block_bytes(int64_t rows) const {
    return 2 * rows + block * column_bytes(rows);
  }
  // Where what belongs to a column begins.
  constexpr int64_t scales(int64_t rows, int64_t col) const {
    return col / block * block_bytes(rows);
  }
  constexpr int64_t levels(int64_t rows, int64_t col) const {
    return scales(rows, col) + 2 * rows + col % block * column_bytes(rows);
  }
};

constexpr ColumnLayout LayoutByColumns(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return {.block = 32, .bits = 4};
    case DType::kQ8_0:
      return {.block = 32, .bits = 8};
    default:
      return {};
  }
}

struct ColumnMatrix {
  DType dtype = DType::kF32;  // of the matrix that it is a copy of
  int64_t rows = 0, cols = 0;
  const std::byte* data = nullptr;
};

}  // namespace gemma3n
