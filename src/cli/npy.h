// NumPy's .npy format, version 1.0, written row by row.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace gemma3n::cli {

// A float32 matrix [rows, cols]. The file appears whole on Commit(), or not at all; "-" streams to
// standard output.
class NpyWriter {
 public:
  static Result<NpyWriter> Create(const std::string& path, int64_t rows, int64_t cols);
  Status AppendRow(std::span<const float> row);  // size: cols
  Status Commit();                               // kInternal when rows are missing

 private:
  NpyWriter() = default;
  Status Write(const void* data, size_t bytes);
  std::optional<AtomicFileWriter> file_;  // none: standard output
  int64_t rows_left_ = 0, cols_ = 0;
};

}  // namespace gemma3n::cli
