#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

float Level(const ColumnLayout& layout, const std::byte* levels, int64_t rows, int64_t r) {
  if (layout.bits == 8) return static_cast<int8_t>(levels[r]);
  const auto pair = static_cast<int>(levels[r / 32 * 16 + r % 16]);
  int level = r % 32 < 16 ? pair & 15 : pair >> 4;
  if (layout.bits == 5) level += 16 * (static_cast<int>(levels[rows / 2 + r / 8]) >> r % 8 & 1);
  return static_cast<float>(level - layout.zero);
}

float Value(const ColumnMatrix& w, int64_t r, int64_t col) {
  const ColumnLayout layout = LayoutByColumns(w.dtype);
  const std::byte* levels = w.data + layout.levels(w.rows, col);
  if (w.dtype == DType::kF16) return HalfToFloat(LoadU16(levels + 2 * r));
  if (w.dtype == DType::kBF16) return BFloat16ToFloat(LoadU16(levels + 2 * r));
  float factors[2] = {};
  for (int64_t i = 0; i < layout.factors; ++i) {
    const int64_t at = i * w.rows + r;
    factors[i] = HalfToFloat(LoadU16(w.data + layout.halves(w.rows, col) + 2 * at));
    if (layout.has_bytes())
      factors[i] *= static_cast<int8_t>(w.data[layout.bytes(w.rows, col) + at]);
  }
  const float scaled = factors[0] * Level(layout, levels, w.rows, r);
  return layout.factors == 2 ? scaled + factors[1] : scaled;
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
