// A tensor as it lies in a file, usually a mapped one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/matrix.h"

namespace gemma3n {

// A tensor as it lies in a file: row-major, the last dimension contiguous (and cut into blocks when quantised).
struct StoredTensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;       // outermost first, as PyTorch prints it
  const std::byte* data = nullptr;  // not owned
  size_t bytes = 0;

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
};

// "[262400, 2048]"
std::string ShapeString(const std::vector<int64_t>& shape);

}  // namespace gemma3n
