// A copy of a matrix in three bits a value, and products with it: about W x, for finding which of
// very many products are worth computing.
//
//   w[r, c] = s_r m_c (q[r, c] - 3.5) + m_c e[r, c]     m_c: rms of column c of W, over some rows
// s_r makes the rest e of a row orthogonal to the row itself. So for the very row that x looks
// like, the largest product, nothing is lost, and for any other the rest is a direction like many
// others: about |e_r| |m x| / sqrt(cols) is what the product is off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/rounding.h"
#include "kernels/coarse.h"
#include "kernels/ops.h"
#include "tensor/matrix.h"

namespace gemma3n {

class CoarseRows {
 public:
  static constexpr int64_t kBlock = 256;  // rows whose largest product is looked for

  // w must outlive this. mapped: w lies in a mapped file, whose pages are let go as rows are
  // copied: few of them are read afterwards.
  explicit CoarseRows(const Matrix& w, bool mapped = false);

  int64_t rows() const { return w_.rows; }
  int64_t blocks() const { return CeilDiv(w_.rows, kBlock); }
  // What the copy takes, and what a call of Multiply reads.
  int64_t bytes() const;

  // Says that products are wanted; whether they are to be had. The copy costs some twenty times
  // what it saves, so it is made when they have been wanted a few times: what asks for less never
  // pays. One thread at a time. Throws std::bad_alloc.
  bool Want(const Ops& ops);
  // Makes it now.
  void Make(const Ops& ops);
  bool ready() const { return ready_; }
  // Lets go of w's own pages, where that is mapped and the copy there: a row that is read brings
  // back up to 2 MB around it, so that soon all of them are resident.
  void LetGo() const;

  // y[t, r]: about w_r x_t. best[t, b]: the row of block b whose y is largest. spread[t]: |m x_t| /
  // sqrt(cols). False where x is not finite, and nothing is written. Precondition: ready().
  //   x: [T, cols], T <= kCoarseRows; y: [T, rows]; best: [T, blocks()]; spread: [T]
  bool Multiply(const ConstView& x, const View& y, int32_t* best, float* spread,
                const Ops& ops) const;

  // |e_r|, infinite where row r holds what is not finite; and the largest of each block.
  std::span<const float> rest() const { return rest_; }
  std::span<const float> block_rest() const { return block_rest_; }

 private:
  int64_t levels_bytes() const { return padded_ / kCoarseColumns * kCoarseGroup; }  // of a row
  void MeasureColumns(const Ops& ops);
  void Copy(int64_t row, float* values, const Ops& ops);

  Matrix w_;
  bool mapped_;
  int64_t padded_ = 0;  // columns, in whole groups
  int wanted_ = 0;
  bool ready_ = false;
  Buffer levels_;
  std::vector<float> column_, inverse_column_;  // [cols] m, 1 / m
  std::vector<float> scale_, rest_;             // [rows] s, |e|
  std::vector<float> block_rest_;               // [blocks]
};

}  // namespace gemma3n
