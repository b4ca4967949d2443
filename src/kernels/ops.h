// The operations that the model's stages are written in: a kernel table plus a thread pool. One line of a stage is one
// call here. Shapes in comments: T rows (tokens), everything float32 unless a weight says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "gemma3n/options.h"
#include "kernels/kernel_table.h"
#include "tensor/matrix.h"

namespace gemma3n {

class Ops {
 public:
  Ops(const KernelTable& kernels, ThreadPool& pool, Precision precision = Precision::kFloat32)
      : kernels_(kernels), pool_(pool), precision_(precision) {}

  const KernelTable& kernels() const { return kernels_; }
  ThreadPool& pool() const { return pool_; }
  Precision precision() const { return precision_; }

  // y[t] = W x[t].   W: [rows, cols], x: [T, cols], y: [T, rows]
  void Linear(const Matrix& w, const ConstView& x, const View& y) const { LinearEach({{w, y}}, x); }

  // The same for several W of one x, which is rounded once; of few rows, in one loop over the
  // threads. One call at a time: it may use memory that this object keeps.
  struct Product {
    Matrix w;
    View y;
  };
  void LinearEach(std::span<const Product> products, const ConstView& x) const;
  void LinearEach(std::initializer_list<Product> products, const ConstView& x) const {
    LinearEach(std::span(products.begin(), products.size()), x);
  }

  // y[t] = W (gelu_tanh(gate[t]) * up[t]); what gate holds afterwards is unspecified.
  void LinearGated(const Matrix& w, const View& gate, const ConstView& up, const View& y) const;

  // Only the listed rows of y[t] = W x[t], ascending; the others stay as they are. x: few rows (few_rows.h).
  void LinearRows(const Matrix& w, std::span<const int32_t> rows, const ConstView& x, const View& y) const;

  // One row of a stored table to float32.   out: [table.cols]
  void Row(const Matrix& table, int64_t row, float* out) const {
    kernels_.dequantize[static_cast<int>(table.dtype)](table.row(row), out, table.cols);
  }

  // y[t] = rms(x[t]; w, eps); w null is a factor of 1; y may be x.
  void RmsNorm(const float* w, float eps, const ConstView& x, const View& y) const;

  // Memory that this object keeps for products, at least `bytes`, on a page's boundary; valid until the next call.
  // Throws std::bad_alloc.
  std::byte* Scratch(int64_t bytes) const;
  // Gives its physical pages back until it is used again.
  void ReleaseScratch() const { scratch_.ReleasePages(); }

  // Runs body(t) for every row, spread over the threads. `values`: about how many values a row's body reads or writes;
  // what is quickly done stays on the calling thread.
  template <typename Body>
  void ForRows(int64_t rows, int64_t values, const Body& body) const {
    const int64_t grain = values < 1 ? kMinValues : (kMinValues + values - 1) / values;
    pool_.ParallelFor(rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) body(t);
    });
  }
  template <typename Body>
  void ForRows(int64_t rows, const Body& body) const {
    ForRows(rows, kMinValues, body);
  }

  // Runs body(slot, i) for every i in [0, count); no two calls of one slot overlap, so that scratch can be one row per
  // slot. slot < pool().threads().
  template <typename Body>
  void ForSlots(int64_t count, const Body& body) const {
    std::atomic<int64_t> next{0};
    pool_.ParallelFor(pool_.threads(), 1, [&](int64_t slot, int64_t) {
      for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(static_cast<int>(slot), i);
    });
  }

 private:
  static constexpr int64_t kMinValues = 1 << 14;  // worth waking a thread

  void LinearFew(std::span<const Product> products, const ConstView& x) const;
  void ExactLinear(const Matrix& w, const ConstView& x, const View& y) const;

  const KernelTable& kernels_;
  ThreadPool& pool_;
  Precision precision_;
  mutable Buffer scratch_;  // of products, as large as the largest so far
};

}  // namespace gemma3n
