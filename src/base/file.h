// Files: mapped for reading, replaced atomically when written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n {

// A whole file mapped read-only; pages enter memory when they are first touched. Unmapped on
// destruction.
class MappedFile {
 public:
  // Errors: kNotFound, kIo; a directory or an empty file is kInvalidArgument / kCorruptFile.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Small files whole (configs, templates, prompts). Errors: kNotFound, kIo, kResourceExhausted over
// max_bytes.
Result<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{1} << 30);

// Lets go of the resident pages of part of a mapped file; they come back from the file when they
// are touched again.
void ReleaseMappedPages(std::span<const std::byte> part);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);

// Writes beside the target and renames on Commit(), so that a kill or a full disk leaves the old
// file or none, never half of one. Without Commit() the temporary file is removed.
class AtomicFileWriter {
 public:
  static Result<AtomicFileWriter> Create(const std::string& path);

  AtomicFileWriter(AtomicFileWriter&& other) noexcept { *this = std::move(other); }
  AtomicFileWriter& operator=(AtomicFileWriter&& other) noexcept;
  ~AtomicFileWriter();

  Status Write(const void* data, size_t size);
  Status Write(std::string_view text) { return Write(text.data(), text.size()); }
  // Zero bytes up to the next multiple of `alignment`.
  Status PadTo(size_t alignment);
  uint64_t position() const { return position_; }
  // Flushes to disk, closes and renames into place.
  Status Commit();

 private:
  AtomicFileWriter() = default;
  void Discard();
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
  std::unique_ptr<char[]> buffer_;  // the stream's
  uint64_t position_ = 0;
};

}  // namespace gemma3n
