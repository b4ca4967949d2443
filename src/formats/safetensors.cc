// Reading one .safetensors file.   Layout: u64 header length N, N bytes of JSON, then the tensors'
// bytes.
#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "base/checked_math.h"
#include "formats/safetensors_header.h"

namespace gemma3n {
namespace {

using internal::HeaderTensor;

// Bytes of one element of a dtype of the format; 0 for names that this reader does not know.
uint64_t ElementBytes(std::string_view dtype) {
  struct Size {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr Size kSizes[] = {
      {"F64", 8}, {"I64", 8},     {"U64", 8},     {"C64", 8},     {"F32", 4}, {"I32", 4},
      {"U32", 4}, {"F16", 2},     {"BF16", 2},    {"I16", 2},     {"U16", 2}, {"I8", 1},
      {"U8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"BOOL", 1}};
  for (const Size& s : kSizes) {
    if (s.name == dtype) return s.bytes;
  }
  return 0;
}

std::optional<DType> EngineDType(std::string_view dtype) {
  if (dtype == "F32") return DType::kF32;
  if (dtype == "F16") return DType::kF16;
  if (dtype == "BF16") return DType::kBF16;
  return std::nullopt;
}

Status CheckSize(const HeaderTensor& t, const std::string& path) {
  if (t.end < t.begin) {
    return Error(StatusCode::kCorruptFile, "{}: tensor {}: data ends at {}, before it begins at {}",
                 path, t.name, t.end, t.begin);
  }
  uint64_t elements = 1;
  for (uint64_t d : t.shape) {
    const auto product = CheckedMul(elements, d);
    if (d == 0 || !product || *product > static_cast<uint64_t>(INT64_MAX)) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: shape {} is empty or too large", path,
                   t.name, internal::HeaderShape(t.shape));
    }
    elements = *product;
  }
  const uint64_t element_bytes = ElementBytes(t.dtype);
  if (element_bytes == 0) return OkStatus();
  const auto bytes = CheckedMul(elements, element_bytes);
  if (!bytes || *bytes != t.end - t.begin) {
    return Error(StatusCode::kCorruptFile,
                 "{}: tensor {}: {} bytes of data, expected {} values of {} for shape {}", path,
                 t.name, t.end - t.begin, elements, t.dtype, internal::HeaderShape(t.shape));
  }
  return OkStatus();
}

// As the format demands: the tensors lie one after another and fill the data exactly.
Status CheckLayout(const std::vector<HeaderTensor>& tensors, uint64_t data_bytes,
                   const std::string& path) {
  std::vector<const HeaderTensor*> order;
  for (const HeaderTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const HeaderTensor* a, const HeaderTensor* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const HeaderTensor* t : order) {
    if (t->end > data_bytes) {
      return Error(
          StatusCode::kCorruptFile,
          "{}: tensor {}: data ends at {}, but the file holds {} bytes of data (truncated?)", path,
          t->name, t->end, data_bytes);
    }
    if (t->begin != at) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: data begins at {}, expected {} ({})",
                   path, t->name, t->begin, at, t->begin < at ? "overlap" : "gap");
    }
    at = t->end;
  }
  if (at != data_bytes) {
    return Error(StatusCode::kCorruptFile, "{}: {} bytes of data, but its tensors fill {}", path,
                 data_bytes, at);
  }
  return OkStatus();
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  SafetensorsFile result(std::move(mapped));
  const std::string_view text = result.file_.text();
  uint64_t header_bytes = 0;
  if (text.size() < sizeof(header_bytes)) {
    return Error(StatusCode::kCorruptFile,
                 "{}: {} bytes, too short for a safetensors file (8-byte header length)", path,
                 text.size());
  }
  std::memcpy(&header_bytes, text.data(), sizeof(header_bytes));
  if (header_bytes > text.size() - sizeof(header_bytes)) {
    return Error(StatusCode::kCorruptFile, "{}: header of {} bytes in a file of {}", path,
                 header_bytes, text.size());
  }
  if (header_bytes > internal::kMaxHeaderBytes) {
    return Error(StatusCode::kCorruptFile, "{}: header of {} bytes, expected at most {}", path,
                 header_bytes, internal::kMaxHeaderBytes);
  }
  G3N_ASSIGN_OR_RETURN(
      const std::vector<HeaderTensor> tensors,
      internal::ParseSafetensorsHeader(text.substr(sizeof(header_bytes), header_bytes), path));
  const uint64_t data_offset = sizeof(header_bytes) + header_bytes;
  for (const HeaderTensor& t : tensors) G3N_RETURN_IF_ERROR(CheckSize(t, path));
  G3N_RETURN_IF_ERROR(CheckLayout(tensors, text.size() - data_offset, path));

  for (const HeaderTensor& t : tensors) {
    const auto dtype = EngineDType(t.dtype);
    if (!dtype) {
      result.skipped_.push_back(t.name);
      continue;
    }
    if ((data_offset + t.begin) % ElementBytes(t.dtype) != 0) {
      return Error(StatusCode::kUnsupported,
                   "{}: tensor {}: data at byte {} of the file, which is not aligned for {}", path,
                   t.name, data_offset + t.begin, t.dtype);
    }
    StoredTensor stored;
    stored.dtype = *dtype;
    stored.shape.assign(t.shape.begin(), t.shape.end());
    stored.data = result.file_.bytes().data() + data_offset + t.begin;
    stored.bytes = t.end - t.begin;
    result.tensors_.emplace(t.name, std::move(stored));
  }
  return result;
}

}  // namespace gemma3n
