// What every stage of a forward pass is given besides its weights and activations.
#pragma once

#include "base/arena.h"
#include "kernels/ops.h"
#include "model/config.h"
#include "model/probe.h"
#include "tensor/matrix.h"

namespace gemma3n {

template <typename Config>  // of the tower or decoder that the stage belongs to
struct StageContextOf {
  const Config& config;
  const Ops& ops;
  Arena& arena;
  const Probe& probe;  // may be empty
  int layer = -1;      // index in the checkpoint, for probes; -1 outside layers

  View Tensor(int64_t rows, int64_t cols) const { return {arena.Floats(rows * cols), rows, cols}; }
  void Tap(std::string_view name, const ConstView& values) const {
    if (probe) probe(name, layer, values);
  }
};

using StageContext = StageContextOf<TextConfig>;

// Stages check the shapes they are given: a comment can rot, this cannot.
inline Status ExpectShape(const ConstView& x, int64_t rows, int64_t cols, const char* what) {
  if (x.rows == rows && x.cols == cols) return OkStatus();
  return Error(StatusCode::kInternal, "{}: expected shape [{}, {}], found [{}, {}]", what, rows,
               cols, x.rows, x.cols);
}

}  // namespace gemma3n
