// Order statistics of a row of logits without sorting it. NaN counts as absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gemma3n {

// The k-th largest value (k >= 1), -inf when fewer than k are above -inf. One pass that keeps at
// most 2 k + 1024 values in scratch, which is reused between calls.
float KthLargest(std::span<const float> values, size_t k, std::vector<float>& scratch);

}  // namespace gemma3n
