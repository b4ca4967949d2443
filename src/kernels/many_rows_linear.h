// Ops::LinearEach for many rows: the products cut for the threads.
#pragma once

#include <span>

#include "kernels/ops.h"

namespace gemma3n {

// Rows of x from which expanding the weights pays.
inline constexpr int64_t kManyRows = 9;

// Of many rows: x, or gelu_tanh(x) * up where `up` is not empty.
struct ManyRowsInput {
  ConstView x, up;
};

// Multiplies by the table's many_rows kernels, in ops.Scratch. False, and nothing is done, where x
// has fewer than kManyRows rows or the table has no kernel for a product's type or for `up`.
bool ManyRowsLinear(std::span<const Ops::Product> products, const ManyRowsInput& in,
                    const Ops& ops);

}  // namespace gemma3n
