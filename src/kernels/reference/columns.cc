#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {

void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y) {
  for (int64_t r = row_begin; r < row_end; ++r) {
    y[r] = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t group = r / 32, j = r % 32;
      const auto byte = static_cast<int>(w.levels(list[i])[16 * group + j % 16]);
      const int level = (j < 16 ? byte & 15 : byte >> 4) - 8;
      const float d = HalfToFloat(LoadU16(w.scales(list[i]) + 2 * r));
      y[r] += d * (x[i] * static_cast<float>(level));
    }
  }
}

}  // namespace gemma3n::reference
