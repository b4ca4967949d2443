// Safetensors: an 8-byte header length, a JSON header, tensor bytes. Read from a mapped file, bounds-checked.
// https://huggingface.co/docs/safetensors
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "tensor/stored_tensor.h"

namespace gemma3n {

// One .safetensors file. Tensors point into the mapping and live as long as this object.
class SafetensorsFile {
 public:
  // Tensors of dtypes that the engine does not compute with (I64, F8, ...) are listed in skipped() and otherwise ignored.
  // Errors: kNotFound, kIo, kCorruptFile (header longer than the file, bad JSON, overlapping or out-of-range data,
  // a size that contradicts shape and dtype, duplicate names).
  static Result<SafetensorsFile> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.bytes().size(); }
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {}
  MappedFile file_;
  std::map<std::string, StoredTensor> tensors_;
  std::vector<std::string> skipped_;
};

// The files of a hub directory: model.safetensors, or the shards that model.safetensors.index.json names.
class SafetensorsCheckpoint {
 public:
  // Errors: as above, and an index that names a missing or foreign file (a path that leaves the directory), a tensor that
  // its shard lacks, or two shards that both hold one.
  static Result<SafetensorsCheckpoint> Open(const std::string& directory);

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::vector<SafetensorsFile>& files() const { return files_; }

 private:
  std::vector<SafetensorsFile> files_;
  std::map<std::string, StoredTensor> tensors_;
};

// Writes one file: declare every tensor, then append their bytes in the same order.
class SafetensorsWriter {
 public:
  struct Entry {
    std::string name;
    DType dtype;  // F32, F16 or BF16
    std::vector<int64_t> shape;
  };
  static Result<SafetensorsWriter> Create(const std::string& path, std::vector<Entry> entries);
  // Part of the current tensor's bytes; the writer moves to the next one when it is full.
  Status Append(const void* data, size_t bytes);
  // Errors: kInternal when bytes are missing; kIo, kResourceExhausted from the disk.
  Status Commit();
  uint64_t bytes_written() const { return file_.position(); }

 private:
  SafetensorsWriter(AtomicFileWriter file, uint64_t total) : file_(std::move(file)), expected_(total) {}
  AtomicFileWriter file_;
  uint64_t expected_ = 0;  // data bytes still to come
  bool failed_ = false;    // the disk refused: nothing more can be written
};

}  // namespace gemma3n
