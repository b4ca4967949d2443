#include "model/text/rope.h"

#include <cmath>

namespace gemma3n {

std::vector<float> RopeFrequencies(float theta, int64_t head_dim) {
  std::vector<float> frequencies(head_dim / 2);
  for (size_t k = 0; k < frequencies.size(); ++k) {
    const float exponent = static_cast<float>(2 * k) / static_cast<float>(head_dim);
    frequencies[k] = 1.0f / static_cast<float>(std::pow(static_cast<double>(theta),
                                                        static_cast<double>(exponent)));
  }
  return frequencies;
}

RopeTable MakeRopeTable(const std::vector<float>& frequencies, std::span<const BatchRow> rows,
                        const StageContext& ctx) {
  const int64_t tokens = static_cast<int64_t>(rows.size()),
                half = static_cast<int64_t>(frequencies.size());
  const RopeTable table{ctx.Tensor(tokens, half), ctx.Tensor(tokens, half)};
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    for (int64_t k = 0; k < half; ++k) {
      const float angle = static_cast<float>(rows[t].position) * frequencies[k];
      table.cos.row(t)[k] = static_cast<float>(std::cos(static_cast<double>(angle)));
      table.sin.row(t)[k] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  });
  return table;
}

}  // namespace gemma3n
