// Ops::LinearEach for many rows: the products cut for the threads.
#pragma once

#include <span>

#include "kernels/many_rows.h"
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

// The steps of that, for at most most_rows rows of x that begin with row `first`.
// Rounds them into `packed`.
void PackRows(const ManyRowsKernels& kernels, const ManyRowsInput& in, int64_t first, int64_t rows,
              std::byte* packed, const Ops& ops);
// Multiplies what is packed, all products in one loop over the threads, whose scratch memory is
// `stride` bytes apart.
void MultiplyRows(const ManyRowsKernels& kernels, std::span<const Ops::Product> products,
                  int64_t first, int64_t rows, const std::byte* packed, std::byte* scratch,
                  int64_t stride, const Ops& ops);
// Rows of W that a thread takes at a time.
int64_t RangeRows(int64_t rows, int64_t threads, const ManyRowsKernels& kernels);

}  // namespace gemma3n
