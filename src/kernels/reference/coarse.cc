// Three bits a value, one after the other.
#include <algorithm>

#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

// Of a group's field f, byte i.
int Level(const std::byte* group, int64_t f, int64_t i) {
  const auto plane = [&](int64_t p) { return static_cast<int>(group[p * kCoarsePlane + i]); };
  if (f == 6) return plane(0) >> 6 | (plane(1) >> 4 & 4);
  if (f == 7) return plane(2) >> 6 | (plane(1) >> 5 & 4);
  return plane(f / 2) >> (3 * (f % 2)) & 7;
}

void AddLevel(std::byte* group, int64_t f, int64_t i, int level) {
  const auto add = [&](int64_t p, int bits) {
    group[p * kCoarsePlane + i] |= static_cast<std::byte>(bits);
  };
  if (f < 6) return add(f / 2, level << (3 * (f % 2)));
  add(f == 6 ? 0 : 2, (level & 3) << 6);
  add(1, (level >> 2) << f);
}

}  // namespace

void CoarseEncode(const float* w, int64_t cols, float inverse_step, std::byte* levels,
                  float* centred) {
  std::fill(levels, levels + cols / kCoarseColumns * kCoarseGroup, std::byte{0});
  for (int64_t c = 0; c < cols; ++c) {
    const float place = w[c] * inverse_step + kCoarseCentre;
    const float inside = place > 0 ? std::min(place, 7.0f) : 0;  // NaN is 0
    const int level = static_cast<int>(inside + 0.5f);
    const int64_t at = c % kCoarseColumns;
    AddLevel(levels + c / kCoarseColumns * kCoarseGroup, at / kCoarsePlane, at % kCoarsePlane,
             level);
    centred[c] = static_cast<float>(level) - kCoarseCentre;
  }
}

void CoarseMultiply(const std::byte* levels, int64_t cols, int64_t begin, int64_t end,
                    const int8_t* x, int64_t count, const View& y) {
  for (int64_t r = begin; r < end; ++r) {
    const std::byte* row = levels + r * (cols / kCoarseColumns * kCoarseGroup);
    for (int64_t t = 0; t < count; ++t) {
      int64_t sum = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const int64_t at = c % kCoarseColumns;
        sum += x[t * cols + c] *
               Level(row + c / kCoarseColumns * kCoarseGroup, at / kCoarsePlane, at % kCoarsePlane);
      }
      y.row(t)[r] = static_cast<float>(sum);
    }
  }
}

}  // namespace gemma3n::reference
