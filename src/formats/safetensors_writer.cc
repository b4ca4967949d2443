#include <utility>

#include "base/checked_math.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace gemma3n {

Result<SafetensorsWriter> SafetensorsWriter::Create(const std::string& path,
                                                    std::vector<Entry> entries) {
  // Written by hand rather than as a document: the order of the tensors is the caller's.
  std::string header = R"({"__metadata__":{"format":"pt"})";
  uint64_t offset = 0;
  for (const Entry& e : entries) {
    if (Traits(e.dtype).block_elements != 1) {
      return Error(StatusCode::kInvalidArgument, "{}: tensor {}: safetensors has no dtype {}", path,
                   e.name, Name(e.dtype));
    }
    uint64_t bytes = Traits(e.dtype).block_bytes;
    for (int64_t d : e.shape) {
      const auto product = CheckedMul(bytes, static_cast<uint64_t>(d));
      if (d <= 0 || !product || *product > static_cast<uint64_t>(INT64_MAX) - offset) {
        return Error(StatusCode::kInvalidArgument, "{}: tensor {}: shape {} is empty or too large",
                     path, e.name, ShapeString(e.shape));
      }
      bytes = *product;
    }
    if (offset % Traits(e.dtype).block_bytes != 0) {
      return Error(StatusCode::kInternal,
                   "{}: tensor {}: would be misaligned; larger element types go first", path,
                   e.name);
    }
    header +=
        fmt::format(R"(,{}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", DumpJson(e.name),
                    Name(e.dtype), ShapeString(e.shape), offset, offset + bytes);
    offset += bytes;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');  // the data begins at a multiple of 8

  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  const uint64_t header_bytes = header.size();
  G3N_RETURN_IF_ERROR(file.Write(&header_bytes, sizeof(header_bytes)));
  G3N_RETURN_IF_ERROR(file.Write(header));
  return SafetensorsWriter(std::move(file), offset);
}

Status SafetensorsWriter::Append(const void* data, size_t bytes) {
  if (bytes > expected_) {
    return Error(StatusCode::kInternal, "{} bytes appended, but only {} were declared", bytes,
                 expected_);
  }
  if (failed_) return Error(StatusCode::kInternal, "an earlier write of this file failed");
  const Status status = file_.Write(data, bytes);
  failed_ = !status.ok();
  expected_ -= bytes;
  return status;
}

Status SafetensorsWriter::Commit() {
  if (expected_ != 0 || failed_) {
    return Error(StatusCode::kInternal, "{} declared bytes were never appended", expected_);
  }
  return file_.Commit();
}

}  // namespace gemma3n
