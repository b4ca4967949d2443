// GGUF: llama.cpp's container of metadata and (quantised) tensors. Versions 2 and 3, little-endian; bounds-checked.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "tensor/stored_tensor.h"

namespace gemma3n {

namespace internal {
class GgufReader;
}

// A metadata value. Integers of every width are int64_t or uint64_t, floats are double; arrays hold one kind.
// Strings point into the mapped file.
using GgufValue = std::variant<bool, int64_t, uint64_t, double, std::string_view, std::vector<bool>,
                               std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>,
                               std::vector<std::string_view>>;

class GgufFile {
 public:
  // Errors: kNotFound, kIo, kCorruptFile (bad magic, truncated, counts or lengths past the file's end, overlapping or
  // misaligned data, sizes that overflow), kUnsupported (big-endian, unknown version). Tensors of unknown ggml types are
  // listed in unknown_types() so that the error can name the type when the tensor is needed.
  static Result<GgufFile> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.bytes().size(); }
  // Shapes outermost first (GGUF stores them innermost first).
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, uint32_t>& unknown_types() const { return unknown_types_; }
  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }

  // Typed look-ups; nullopt when the key is absent or of another kind. Integers convert between signs when they fit.
  std::optional<bool> GetBool(const std::string& key) const;
  std::optional<int64_t> GetInt(const std::string& key) const;
  std::optional<double> GetFloat(const std::string& key) const;  // integers convert
  std::optional<std::string_view> GetString(const std::string& key) const;
  std::optional<std::vector<int64_t>> GetInts(const std::string& key) const;
  std::optional<std::vector<double>> GetFloats(const std::string& key) const;
  std::optional<std::vector<bool>> GetBools(const std::string& key) const;
  const std::vector<std::string_view>* GetStrings(const std::string& key) const;
  // A value as encoded in the file, its kind in front: what GgufWriter::AddRaw takes.
  std::optional<std::string_view> GetRaw(const std::string& key) const;

 private:
  explicit GgufFile(MappedFile file) : file_(std::move(file)) {}
  Status ReadMetadata(internal::GgufReader& reader, uint64_t count);

  MappedFile file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, uint32_t> unknown_types_;
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, std::string_view> raw_;
};

// Writes a GGUF version 3 file: metadata and tensor list first, then the tensors' bytes in the declared order.
class GgufWriter {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;  // outermost first
  };

  void AddBool(const std::string& key, bool value);
  void AddU32(const std::string& key, uint32_t value);
  void AddI32(const std::string& key, int32_t value);
  void AddF32(const std::string& key, float value);
  void AddString(const std::string& key, std::string_view value);
  void AddBools(const std::string& key, const std::vector<bool>& values);
  void AddI32s(const std::string& key, const std::vector<int32_t>& values);
  void AddF32s(const std::string& key, const std::vector<float>& values);
  void AddStrings(const std::string& key, const std::vector<std::string>& values);
  // A value copied from another file, see GgufFile::GetRaw.
  void AddRaw(const std::string& key, std::string_view encoded);
  void AddTensor(Entry entry) { entries_.push_back(std::move(entry)); }

  // Creates the file and writes everything before the tensor data. Errors: kInvalidArgument (a shape that its dtype's
  // blocks do not divide), kIo, kResourceExhausted.
  Status Begin(const std::string& path);
  // Part of the current tensor's bytes; alignment padding between tensors is the writer's.
  Status Append(const void* data, size_t bytes);
  // Errors: kInternal when bytes are missing; kIo, kResourceExhausted from the disk.
  Status Commit();
  uint64_t bytes_written() const { return file_ ? file_->position() : 0; }

 private:
  std::string* BeginPair(const std::string& key);

  std::string metadata_;  // encoded key-value pairs
  uint64_t metadata_count_ = 0;
  std::vector<Entry> entries_;
  std::vector<uint64_t> sizes_;  // bytes of each entry
  std::optional<AtomicFileWriter> file_;
  size_t current_ = 0;
  uint64_t left_in_current_ = 0;
};

}  // namespace gemma3n
