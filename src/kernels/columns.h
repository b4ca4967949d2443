// A matrix column by column, for an x that is mostly zeros: only the columns of what is not zero
// are read. Levels and scales stay what they were (column_layout.h), so nothing is lost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "tensor/matrix.h"

namespace gemma3n {

// A copy by columns that is made when it is first wanted: a file that is only asked for long
// prompts or scores never pays for it.
class LazyColumns {
 public:
  static constexpr int64_t kLongPass = 256;  // rows beside which mapping pages anew costs nothing

  // Whether w's type has a layout by columns, and its size is whole tiles of that.
  static bool Suits(const Matrix& w);
  // Precondition: Suits(w). w must outlive this. mapped: w lies in a mapped file, whose pages are
  // let go once the copy is made: prompts read them, decoding does not.
  explicit LazyColumns(const Matrix& w, bool mapped = false) : w_(w), mapped_(mapped) {}

  // Safe from several threads. Throws std::bad_alloc.
  ColumnMatrix Get(ThreadPool& pool);

  // w itself was read, for so many rows: where the copy exists as well, the pages of both are
  // resident, so w's are let go. At once where the pass was long, or else at the next Get: short
  // ones, as of many answers in the making, follow each other.
  void WasRead(int64_t rows);

 private:
  void LetGo();

  Matrix w_;
  bool mapped_;
  std::once_flag once_;
  std::atomic<bool> made_{false}, read_{false};
  Buffer data_;
};

}  // namespace gemma3n
