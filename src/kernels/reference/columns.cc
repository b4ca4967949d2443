#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

float Value(const ColumnMatrix& w, int64_t r, int64_t col) {
  const ColumnLayout layout = LayoutByColumns(w.dtype);
  const float scale = HalfToFloat(LoadU16(w.data + layout.scales(w.rows, col) + 2 * r));
  const std::byte* levels = w.data + layout.levels(w.rows, col);
  if (layout.bits == 8) return scale * static_cast<float>(static_cast<int8_t>(levels[r]));
  const auto byte = static_cast<int>(levels[r / 32 * 16 + r % 16]);
  return scale * static_cast<float>((r % 32 < 16 ? byte & 15 : byte >> 4) - 8);
}

}  // namespace

void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y) {
  for (int64_t r = row_begin; r < row_end; ++r) {
    y[r] = 0;
    for (int64_t i = 0; i < count; ++i) y[r] += x[i] * Value(w, r, list[i]);
  }
}

}  // namespace gemma3n::reference
