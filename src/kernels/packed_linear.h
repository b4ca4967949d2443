// y = W x for the towers, whose prompts are hundreds of rows: a weight matrix packed once, at load,
// for one way of multiplying.
#pragma once

#include <memory>

#include "base/buffer.h"
#include "kernels/ops.h"
#include "kernels/packed.h"

namespace gemma3n {

enum class Arithmetic {
  kFloat32,   // products and sums in float32, the exact path
  kBFloat16,  // both factors rounded to bfloat16, sums in float32
  kInt8,      // both factors rounded to int8 (a scale per row of x and per row of W), sums exact
};

class PackedLinear {
 public:
  PackedLinear() = default;

  // The fastest arithmetic that this processor has dot products for and that keeps a tower's
  // accuracy: kBFloat16 or kFloat32. kInt8 is for callers that ask for it.
  static Arithmetic Fastest(const Ops& ops);

  // w: [rows, cols] of any dtype. Takes a copy: 4 bytes a weight for float32 (6 where it is
  // multiplied by parts, 2 if w is BF16, which loses nothing), 2 for bfloat16, 1 for int8. Where the
  // processor lacks products of the kind, arithmetic() is kFloat32. Where it has nothing better than
  // Ops::Linear, or memory is short, there is no copy (packed() is false) and w's bytes must outlive
  // this.
  static PackedLinear Pack(const Matrix& w, Arithmetic arithmetic, const Ops& ops);

  // y[t] = W x[t].   x: [T, cols], y: [T, rows], each float32 or bfloat16
  void Apply(const InputView& x, const OutputView& y, const Ops& ops) const;

  // The same on the calling thread alone, for a stage that gives each thread a block of some
  // hundred rows and takes it through several matrices while it is in the cache. Gives the same
  // bits as Apply.
  void ApplyRows(const InputView& x, const OutputView& y, const Ops& ops) const;

  int64_t rows() const { return matrix_.rows; }
  int64_t cols() const { return matrix_.cols; }
  bool empty() const { return matrix_.rows == 0; }
  Arithmetic arithmetic() const { return arithmetic_; }
  bool packed() const { return kernels_ != nullptr; }

 private:
  int64_t RowTileBytes() const;
  int64_t BlockRows() const;
  void ApplyBlock(const InputView& x, int64_t begin, int64_t end, const OutputView& y,
                  std::byte* tiles, float* scales) const;
  void ApplyExactly(const InputView& x, const OutputView& y, const Ops& ops) const;

  Matrix matrix_;  // without its bytes once they are packed
  const PackedKernels* kernels_ = nullptr;
  PackedMatrix packed_;
  std::shared_ptr<Buffer> storage_;
  Arithmetic arithmetic_ = Arithmetic::kFloat32;
};

}  // namespace gemma3n
