// Reading a GGUF file.   Layout: magic, version, counts; key-value pairs; tensor list; aligned
// tensor bytes.
#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/checked_math.h"
#include "formats/gguf_reader.h"

namespace gemma3n {
namespace {

using internal::GgufReader;

constexpr uint64_t kMinPairBytes = 8 + 4 + 1;  // key length, kind, the smallest value
constexpr uint64_t kMinTensorBytes =
    8 + 4 + 8 + 4 + 8;  // name length, rank, one dimension, type, offset
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint32_t kMaxRank = 4;
constexpr size_t kMaxName = 65535;

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;  // outermost first
  uint32_t ggml_type = 0;
  uint64_t offset = 0, bytes = 0;  // bytes stay 0 for unknown types
};

struct Counts {
  uint64_t tensors = 0, pairs = 0;
};

Result<Counts> ReadHeader(GgufReader& reader, const std::string& path) {
  uint32_t magic = 0, version = 0;
  G3N_RETURN_IF_ERROR(reader.Read(&magic, "magic"));
  if (magic != 0x46554747) {
    return Error(StatusCode::kCorruptFile, "{}: does not begin with \"GGUF\"", path);
  }
  G3N_RETURN_IF_ERROR(reader.Read(&version, "version"));
  if (version == 0x02000000 || version == 0x03000000) {
    return Error(StatusCode::kUnsupported, "{}: a big-endian GGUF file; only little-endian is read",
                 path);
  }
  if (version != 2 && version != 3) {
    return Error(StatusCode::kUnsupported, "{}: GGUF version {}, expected 2 or 3", path, version);
  }
  Counts counts;
  G3N_RETURN_IF_ERROR(reader.Read(&counts.tensors, "tensor count"));
  G3N_RETURN_IF_ERROR(reader.Read(&counts.pairs, "key-value count"));
  if (counts.pairs > reader.left() / kMinPairBytes) {
    return Error(StatusCode::kCorruptFile, "{}: {} key-value pairs, but {} bytes are left", path,
                 counts.pairs, reader.left());
  }
  if (counts.tensors > reader.left() / kMinTensorBytes) {
    return Error(StatusCode::kCorruptFile, "{}: {} tensors, but {} bytes are left", path,
                 counts.tensors, reader.left());
  }
  return counts;
}

Result<TensorInfo> ReadTensorInfo(GgufReader& reader, const std::string& path) {
  TensorInfo info;
  std::string_view name;
  G3N_RETURN_IF_ERROR(reader.ReadString(&name, "tensor name"));
  if (name.empty() || name.size() > kMaxName) {
    return Error(StatusCode::kCorruptFile, "{}: a tensor name of {} bytes", path, name.size());
  }
  info.name = name;
  uint32_t rank = 0;
  G3N_RETURN_IF_ERROR(reader.Read(&rank, info.name));
  if (rank < 1 || rank > kMaxRank) {
    return Error(StatusCode::kCorruptFile, "{}: tensor {}: {} dimensions, expected 1 to {}", path,
                 info.name, rank, kMaxRank);
  }
  uint64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t size = 0;
    G3N_RETURN_IF_ERROR(reader.Read(&size, info.name));
    const auto product = CheckedMul(elements, size);
    if (size == 0 || !product || *product > static_cast<uint64_t>(INT64_MAX)) {
      return Error(StatusCode::kCorruptFile,
                   "{}: tensor {}: dimension {} of {} is empty or too large", path, info.name, i,
                   size);
    }
    elements = *product;
    info.shape.insert(info.shape.begin(), static_cast<int64_t>(size));
  }
  G3N_RETURN_IF_ERROR(reader.Read(&info.ggml_type, info.name));
  G3N_RETURN_IF_ERROR(reader.Read(&info.offset, info.name));
  const auto dtype = DTypeFromGgml(info.ggml_type);
  if (!dtype) return info;
  const DTypeTraits& traits = Traits(*dtype);
  if (info.shape.back() % traits.block_elements != 0) {
    return Error(StatusCode::kCorruptFile,
                 "{}: tensor {}: rows of {} values, expected a multiple of {} for {}", path,
                 info.name, info.shape.back(), traits.block_elements, traits.name);
  }
  const auto bytes = CheckedMul(elements / traits.block_elements, traits.block_bytes);
  if (!bytes) {
    return Error(StatusCode::kCorruptFile, "{}: tensor {}: shape {} is too large", path, info.name,
                 ShapeString(info.shape));
  }
  info.bytes = *bytes;
  return info;
}

Result<uint64_t> Alignment(const GgufFile& file) {
  const auto at = file.metadata().find("general.alignment");
  if (at == file.metadata().end()) return kDefaultAlignment;
  const auto value = file.GetInt("general.alignment");
  if (!value || *value <= 0 || !std::has_single_bit(static_cast<uint64_t>(*value)) ||
      *value > std::numeric_limits<uint32_t>::max()) {
    return Error(StatusCode::kCorruptFile, "{}: general.alignment: expected a power of two",
                 file.path());
  }
  return static_cast<uint64_t>(*value);
}

// Every tensor inside the data, aligned, and none over another.
Status CheckLayout(const std::vector<TensorInfo>& tensors, uint64_t data_bytes, uint64_t alignment,
                   const std::string& path) {
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  uint64_t filled = 0;
  for (const TensorInfo* t : order) {
    const auto end = CheckedAdd(t->offset, t->bytes);
    if (!end || *end > data_bytes) {
      return Error(StatusCode::kCorruptFile,
                   "{}: tensor {}: {} bytes at {} of the data, but the file holds {} bytes of data "
                   "(truncated?)",
                   path, t->name, t->bytes, t->offset, data_bytes);
    }
    if (t->offset % alignment != 0) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: offset {}, expected a multiple of {}",
                   path, t->name, t->offset, alignment);
    }
    if (t->offset < filled) {
      return Error(StatusCode::kCorruptFile,
                   "{}: tensor {}: data at {} overlaps another tensor's, which ends at {}", path,
                   t->name, t->offset, filled);
    }
    filled = std::max(filled, *end);
  }
  return OkStatus();
}

// Plain floats must be aligned for the processor; quantised blocks hold 16-bit scales.
bool IsAligned(const std::byte* data, DType dtype) {
  const uintptr_t need = dtype == DType::kF32 ? 4 : 2;
  return reinterpret_cast<uintptr_t>(data) % need == 0;
}

}  // namespace

Status GgufFile::ReadMetadata(GgufReader& reader, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view key;
    G3N_RETURN_IF_ERROR(reader.ReadString(&key, fmt::format("key {} of {}", i, count)));
    if (key.empty() || key.size() > kMaxName) {
      return Error(StatusCode::kCorruptFile, "{}: a key of {} bytes", path(), key.size());
    }
    const uint64_t begin = reader.position();
    G3N_ASSIGN_OR_RETURN(GgufValue value, reader.ReadValue(key));
    if (!metadata_.emplace(key, std::move(value)).second) {
      return Error(StatusCode::kCorruptFile, "{}: key {}: given twice", path(), key);
    }
    raw_.emplace(key, reader.Since(begin));
  }
  return OkStatus();
}

Result<GgufFile> GgufFile::Open(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  GgufFile file(std::move(mapped));
  GgufReader reader(file.file_.text(), path);
  G3N_ASSIGN_OR_RETURN(const Counts counts, ReadHeader(reader, path));
  G3N_RETURN_IF_ERROR(file.ReadMetadata(reader, counts.pairs));
  G3N_ASSIGN_OR_RETURN(const uint64_t alignment, Alignment(file));

  std::vector<TensorInfo> tensors;
  for (uint64_t i = 0; i < counts.tensors; ++i) {
    G3N_ASSIGN_OR_RETURN(TensorInfo info, ReadTensorInfo(reader, path));
    tensors.push_back(std::move(info));
  }
  const auto padded = CheckedAdd(reader.position(), alignment - 1);
  const uint64_t data_offset = *padded / alignment * alignment;  // both far below 2^64
  const uint64_t size = file.file_.bytes().size();
  const uint64_t data_bytes = data_offset < size ? size - data_offset : 0;
  G3N_RETURN_IF_ERROR(CheckLayout(tensors, data_bytes, alignment, path));

  for (TensorInfo& t : tensors) {
    const auto dtype = DTypeFromGgml(t.ggml_type);
    const bool is_new = dtype ? file.tensors_.count(t.name) + file.unknown_types_.count(t.name) == 0
                              : file.tensors_.count(t.name) == 0 &&
                                    file.unknown_types_.emplace(t.name, t.ggml_type).second;
    if (!is_new)
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: listed twice", path, t.name);
    if (!dtype) continue;
    const std::byte* data = file.file_.bytes().data() + data_offset + t.offset;
    if (!IsAligned(data, *dtype)) {
      return Error(StatusCode::kUnsupported,
                   "{}: tensor {}: data at byte {} of the file, which is not aligned for {}", path,
                   t.name, data_offset + t.offset, Name(*dtype));
    }
    file.tensors_.emplace(std::move(t.name),
                          StoredTensor{*dtype, std::move(t.shape), data, t.bytes});
  }
  return file;
}

}  // namespace gemma3n
