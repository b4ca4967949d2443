#include "kernels/sparse.h"

#include "kernels/reference/reference.h"

namespace gemma3n::reference {

int64_t Compress(const float* x, int64_t n, float* values, uint8_t* columns) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] == 0) continue;
    values[count] = x[i];
    columns[count++] = static_cast<uint8_t>(i);
  }
  return count;
}

void AddSparse(const float* w, const SparseBlock& at, const float* values, float* y) {
  for (int64_t t = 0; t < at.rows; ++t) {
    for (int64_t i = at.starts[t]; i < at.starts[t + 1]; ++i) {
      for (int64_t r = 0; r < kSparseOutputs; ++r)
        y[t * kSparseOutputs + r] += values[i] * w[r * kSparseStride + at.columns[i]];
    }
  }
}

}  // namespace gemma3n::reference
