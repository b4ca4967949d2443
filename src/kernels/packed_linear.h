// y = W x for the towers, whose prompts are hundreds of rows: a weight matrix made ready for one way of multiplying.
// Float32 is the exact path and multiplies from the stored bytes; the others repack the weights once, at load.
#pragma once

#include "base/buffer.h"
#include "kernels/ops.h"

namespace gemma3n {

enum class Arithmetic {
  kFloat32,   // products and sums in float32, the exact path
  kBFloat16,  // both factors rounded to bfloat16, sums in float32
  kInt8,      // both factors rounded to int8 (a scale per row of x and per row of W), sums exact
};

class PackedLinear {
 public:
  PackedLinear() = default;

  // The fastest arithmetic that this processor has dot products for and that keeps a tower's accuracy: kBFloat16 or
  // kFloat32. kInt8 is for callers that ask for it.
  static Arithmetic Fastest(const Ops& ops);

  // w: [rows, cols] of any dtype. Its bytes must outlive this object when the arithmetic is kFloat32.
  static PackedLinear Pack(const Matrix& w, Arithmetic arithmetic, const Ops& ops);

  // y[t] = W x[t].   x: [T, cols], y: [T, rows]
  void Apply(const ConstView& x, const View& y, const Ops& ops) const;

  // The same on the calling thread alone, for a stage that gives each thread a block of some hundred rows and takes it
  // through several matrices while it is in the cache. Gives the same bits as Apply.
  void ApplyRows(const ConstView& x, const View& y, const Ops& ops) const;

  int64_t rows() const { return matrix_.rows; }
  int64_t cols() const { return matrix_.cols; }
  bool empty() const { return matrix_.empty(); }
  Arithmetic arithmetic() const { return arithmetic_; }

 private:
  Matrix matrix_;
  Arithmetic arithmetic_ = Arithmetic::kFloat32;
};

}  // namespace gemma3n
