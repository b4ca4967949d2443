#include "sampling/top_select.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace gemma3n {

int64_t ArgMax(std::span<const float> values) {
  float best = -std::numeric_limits<float>::infinity();
  int64_t index = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] > best) {
      best = values[i];
      index = static_cast<int64_t>(i);
    }
  }
  return index;
}

float KthLargest(std::span<const float> values, size_t k, std::vector<float>& scratch) {
  const auto kth = static_cast<std::ptrdiff_t>(k) - 1;
  const size_t capacity = 2 * k + 1024;
  float floor = -std::numeric_limits<float>::infinity();
  scratch.clear();
  scratch.reserve(capacity);
  const auto shrink = [&] {
    std::nth_element(scratch.begin(), scratch.begin() + kth, scratch.end(), std::greater<>());
    scratch.resize(k);
    floor = scratch.back();
  };
  for (float value : values) {
    if (!(value > floor)) continue;  // k values at or above the floor are in the scratch already
    scratch.push_back(value);
    if (scratch.size() == capacity) shrink();
  }
  if (scratch.size() < k) return floor;
  shrink();
  return floor;
}

}  // namespace gemma3n
