#include "kernels/packed_linear.h"

namespace gemma3n {

PackedLinear PackedLinear::Pack(const Matrix& w, Arithmetic, const Ops&) {
  PackedLinear packed;
  packed.matrix_ = w;
  return packed;
}

void PackedLinear::Apply(const ConstView& x, const View& y, const Ops& ops) const {
  ops.Linear(matrix_, x, y);
}

}  // namespace gemma3n
