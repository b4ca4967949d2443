// Where the largest of many floats is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace gemma3n {

// Index of the largest value, the lowest of equals; NaN counts as absent. -1 when nothing is above
// -inf.
inline int64_t ArgMax(std::span<const float> values) {
  constexpr size_t kLanes = 16;  // maxima side by side: a compiler makes vectors of them
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  float most[kLanes];
  std::fill(most, most + kLanes, kNone);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    const float* v = values.data() + i;
    for (size_t j = 0; j < kLanes; ++j) most[j] = v[j] > most[j] ? v[j] : most[j];
  }
  float best = *std::max_element(most, most + kLanes);
  for (; i < values.size(); ++i) best = values[i] > best ? values[i] : best;
  if (best == kNone) return -1;
  return std::find(values.begin(), values.end(), best) - values.begin();
}

}  // namespace gemma3n
