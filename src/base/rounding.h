// Division and rounding upwards, for counts and sizes.   n >= 0, multiple > 0
#pragma once

#include <cstdint>

namespace gemma3n {

constexpr int64_t CeilDiv(int64_t n, int64_t by) { return (n + by - 1) / by; }
constexpr int64_t RoundUp(int64_t n, int64_t multiple) { return CeilDiv(n, multiple) * multiple; }

}  // namespace gemma3n
