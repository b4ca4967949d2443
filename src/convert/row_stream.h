// Tensors to bytes of a written file, a few megabytes at a time, rows spread over threads.
#pragma once

#include <atomic>
#include <functional>

#include "base/thread_pool.h"
#include "convert/convert.h"
#include "convert/source.h"

namespace gemma3n {

class RowStream {
 public:
  // total_bytes: of everything that will be written, for the progress.
  RowStream(const KernelTable& kernels, const ConvertOptions& options, uint64_t total_bytes)
      : kernels_(kernels),
        pool_(options.threads),
        on_progress_(options.on_progress),
        total_(total_bytes) {}

  // Calls sink(data, bytes) with the tensor's rows in `dtype`, in order. Errors: kUnsupported
  // naming the tensor when it holds NaN, infinity or a value that the dtype cannot; kCancelled; the
  // sink's.
  Status Write(const SourceTensor& tensor, DType dtype,
               const std::function<Status(const void*, size_t)>& sink);

 private:
  Status Report(size_t bytes);

  const KernelTable& kernels_;
  ThreadPool pool_;
  const std::function<bool(double)>& on_progress_;
  uint64_t total_ = 0, done_ = 0;
};

}  // namespace gemma3n
