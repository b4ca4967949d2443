// The K-quants' search for scales; used by quantize.cc alone.
#pragma once

#include "kernels/blocks.h"

namespace gemma3n {

void QuantizeQ4_K(const float* x, BlockQ4_K* block);  // 256 values
void QuantizeQ6_K(const float* x, BlockQ6_K* block);  // 256 values

}  // namespace gemma3n
