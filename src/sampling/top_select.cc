#include "sampling/top_select.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace gemma3n {

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
