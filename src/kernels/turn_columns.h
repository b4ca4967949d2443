// Rows of a stored matrix to columns, as column_layout.h has them.
#pragma once

#include "kernels/column_layout.h"
#include "tensor/matrix.h"

namespace gemma3n {

inline constexpr int64_t kColumnTile = 32;  // rows and columns of w are multiples of this

// Rows [begin, end) of w, multiples of kColumnTile, into the copy of all of it at `out`.
void TurnColumns(const Matrix& w, int64_t begin, int64_t end, std::byte* out);

}  // namespace gemma3n
