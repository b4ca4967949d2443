#include "cli/npy.h"

#include <bit>
#include <string_view>

#include "cli/terminal.h"
#include "cli/text_input.h"

namespace gemma3n::cli {

static_assert(std::endian::native == std::endian::little, "rows are written as they lie in memory");

Result<NpyWriter> NpyWriter::Create(const std::string& path, int64_t rows, int64_t cols) {
  NpyWriter writer;
  writer.rows_left_ = rows;
  writer.cols_ = cols;
  if (path != "-") {
    G3N_RETURN_IF_ERROR(CheckOutputPath(path));
    G3N_ASSIGN_OR_RETURN(writer.file_, AtomicFileWriter::Create(path));
  }
  std::string dict =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  constexpr size_t kPrefix = 10;  // magic, version, length
  dict.append(63 - (kPrefix + dict.size()) % 64, ' ');
  dict.push_back('\n');  // data begin at a multiple of 64
  std::string header("\x93NUMPY\x01\x00", 8);
  header.push_back(static_cast<char>(dict.size() & 0xFF));
  header.push_back(static_cast<char>(dict.size() >> 8));
  header += dict;
  G3N_RETURN_IF_ERROR(writer.Write(header.data(), header.size()));
  return writer;
}

Status NpyWriter::Write(const void* data, size_t bytes) {
  if (file_) return file_->Write(data, bytes);
  return WriteStdout(std::string_view(static_cast<const char*>(data), bytes));
}

Status NpyWriter::AppendRow(std::span<const float> row) {
  if (rows_left_ == 0 || static_cast<int64_t>(row.size()) != cols_) {
    return Error(StatusCode::kInternal, "npy: {} values for a row of {}, {} rows to come",
                 row.size(), cols_, rows_left_);
  }
  --rows_left_;
  return Write(row.data(), row.size_bytes());
}

Status NpyWriter::Commit() {
  if (rows_left_ != 0) return Error(StatusCode::kInternal, "npy: {} rows are missing", rows_left_);
  return file_ ? file_->Commit() : OkStatus();
}

}  // namespace gemma3n::cli
