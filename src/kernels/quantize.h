// Float32 rows to stored dtypes, for writing files. Not hot: plain C++.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace gemma3n {

// Whether QuantizeRow knows the dtype: F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K.
bool CanQuantize(DType dtype);

// n float32 values to one stored row; n is a multiple of the dtype's block. NaN and infinity are the caller's to refuse.
// Preconditions: CanQuantize(dtype). Rounding: BF16/F16 to nearest even; Q8_0 and Q4_0 as in the GGUF format's
// reference quantizer; Q4_K and Q6_K by weighted least squares per sub-block.
void QuantizeRow(DType dtype, const float* src, std::byte* dst, int64_t n);

}  // namespace gemma3n
