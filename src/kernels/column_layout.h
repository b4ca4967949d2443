// Where the numbers of a matrix by columns (columns.h) lie. Columns are cut into blocks, as the
// stored type's rows are. For each block: up to two halves of every row, its scale and what is
// added to its values, the min with its sign changed. Then part after part, where the type has
// parts: as many signed bytes of every row, by which its halves are multiplied. Then column after
// column the levels of all rows.
//   4 bits   in each 16 bytes those of 32 rows: row j in the low nibble of byte j, row j + 16 in
//            the high one
//   5 bits   the low four of all rows as above, then a bit of each
//   8 bits   a signed byte each
//   16 bits  the values themselves, without factors
//
// No std headers: files built with wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace gemma3n {

struct ColumnLayout {
  int block = 0;    // columns that share halves; 0: the type has no such layout
  int part = 0;     // columns that share bytes; `block` where there are none
  int factors = 0;  // halves of a row in a block
  int bits = 0;     // of a level
  int zero = 0;     // the level that stands for zero

  constexpr bool has_bytes() const { return part < block; }
  // Bytes of so many rows.
  constexpr int64_t column_bytes(int64_t rows) const { return rows * bits / 8; }
  constexpr int64_t part_bytes(int64_t rows) const {
    return (has_bytes() ? factors * rows : 0) + part * column_bytes(rows);
  }
  constexpr int64_t block_bytes(int64_t rows) const {
    return 2 * factors * rows + block / part * part_bytes(rows);
  }
  // Where what belongs to a column begins; the second factor's follow those of the first.
  constexpr int64_t halves(int64_t rows, int64_t col) const {
    return col / block * block_bytes(rows);
  }
  constexpr int64_t bytes(int64_t rows, int64_t col) const {
    return halves(rows, col) + 2 * factors * rows + col % block / part * part_bytes(rows);
  }
  constexpr int64_t levels(int64_t rows, int64_t col) const {
    return bytes(rows, col) + (has_bytes() ? factors * rows : 0) + col % part * column_bytes(rows);
  }
};

constexpr ColumnLayout LayoutByColumns(DType dtype) {
  switch (dtype) {
    case DType::kF16:
    case DType::kBF16:
      return {.block = 8, .part = 8, .bits = 16};
    case DType::kQ4_0:
      return {.block = 32, .part = 32, .factors = 1, .bits = 4, .zero = 8};
    case DType::kQ8_0:
      return {.block = 32, .part = 32, .factors = 1, .bits = 8};
    case DType::kQ4_K:
      return {.block = 256, .part = 32, .factors = 2, .bits = 4};
    case DType::kQ5_K:
      return {.block = 256, .part = 32, .factors = 2, .bits = 5};
    case DType::kQ6_K:  // six bits in eight: 1.3 times the memory
      return {.block = 256, .part = 16, .factors = 1, .bits = 8};
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
