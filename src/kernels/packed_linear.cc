#include "kernels/packed_linear.h"

namespace gemma3n {

Arithmetic PackedLinear::Fastest(const Ops&) { return Arithmetic::kFloat32; }

PackedLinear PackedLinear::Pack(const Matrix& w, Arithmetic, const Ops&) {
  PackedLinear packed;
  packed.matrix_ = w;
  return packed;
}

void PackedLinear::Apply(const ConstView& x, const View& y, const Ops& ops) const {
  ops.Linear(matrix_, x, y);
}

void PackedLinear::ApplyRows(const ConstView& x, const View& y, const Ops& ops) const {
  if (x.rows == 0) return;
  ops.kernels().linear[static_cast<int>(matrix_.dtype)](matrix_, 0, matrix_.rows, x, y);
}

}  // namespace gemma3n
