#include "formats/gguf_reader.h"

#include <utility>

namespace gemma3n::internal {
namespace {

// All arrays of a file together. A vocabulary with its merges has about a million elements.
constexpr uint64_t kMaxArrayElements = uint64_t{1} << 25;

// Bytes that one element of a kind takes at least.
uint64_t MinBytes(GgufKind kind) {
  switch (kind) {
    case GgufKind::kU8:
    case GgufKind::kI8:
    case GgufKind::kBool:
      return 1;
    case GgufKind::kU16:
    case GgufKind::kI16:
      return 2;
    case GgufKind::kU32:
    case GgufKind::kI32:
    case GgufKind::kF32:
      return 4;
    default:
      return 8;  // 64-bit numbers, and strings with their length
  }
}

}  // namespace

Status GgufReader::Truncated(std::string_view what, uint64_t bytes) const {
  return Error(StatusCode::kCorruptFile, "{}: {}: {} bytes expected at byte {}, but {} are left",
               path_, what, bytes, position_, left());
}

Status GgufReader::ReadString(std::string_view* value, std::string_view what) {
  uint64_t length = 0;
  G3N_RETURN_IF_ERROR(Read(&length, what));
  if (length > left()) return Truncated(what, length);
  *value = bytes_.substr(position_, length);
  position_ += length;
  return OkStatus();
}

template <typename Stored, typename Held>
Result<GgufValue> GgufReader::ReadNumber(std::string_view key) {
  Stored value = 0;
  G3N_RETURN_IF_ERROR(Read(&value, key));
  return GgufValue(static_cast<Held>(value));
}

template <typename Stored, typename Held>
Result<GgufValue> GgufReader::ReadNumbers(uint64_t count, std::string_view key) {
  std::vector<Held> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Stored value = 0;
    G3N_RETURN_IF_ERROR(Read(&value, key));
    values.push_back(static_cast<Held>(value));
  }
  return GgufValue(std::move(values));
}

Result<GgufValue> GgufReader::ReadScalar(GgufKind kind, std::string_view key) {
  switch (kind) {
    case GgufKind::kU8:
      return ReadNumber<uint8_t, uint64_t>(key);
    case GgufKind::kI8:
      return ReadNumber<int8_t, int64_t>(key);
    case GgufKind::kU16:
      return ReadNumber<uint16_t, uint64_t>(key);
    case GgufKind::kI16:
      return ReadNumber<int16_t, int64_t>(key);
    case GgufKind::kU32:
      return ReadNumber<uint32_t, uint64_t>(key);
    case GgufKind::kI32:
      return ReadNumber<int32_t, int64_t>(key);
    case GgufKind::kU64:
      return ReadNumber<uint64_t, uint64_t>(key);
    case GgufKind::kI64:
      return ReadNumber<int64_t, int64_t>(key);
    case GgufKind::kF32:
      return ReadNumber<float, double>(key);
    case GgufKind::kF64:
      return ReadNumber<double, double>(key);
    case GgufKind::kString: {
      std::string_view text;
      G3N_RETURN_IF_ERROR(ReadString(&text, key));
      return GgufValue(text);
    }
    default:
      break;
  }
  uint8_t byte = 0;
  G3N_RETURN_IF_ERROR(Read(&byte, key));
  if (byte > 1) {
    return Error(StatusCode::kCorruptFile, "{}: {}: a bool of {}, expected 0 or 1", path_, key,
                 int{byte});
  }
  return GgufValue(byte == 1);
}

Result<GgufValue> GgufReader::ReadArray(std::string_view key) {
  uint32_t kind_number = 0;
  uint64_t count = 0;
  G3N_RETURN_IF_ERROR(Read(&kind_number, key));
  G3N_RETURN_IF_ERROR(Read(&count, key));
  const auto kind = static_cast<GgufKind>(kind_number);
  if (kind_number >= kGgufKinds) {
    return Error(StatusCode::kCorruptFile, "{}: {}: array of unknown kind {}", path_, key,
                 kind_number);
  }
  if (kind == GgufKind::kArray) {
    return Error(StatusCode::kUnsupported, "{}: {}: an array of arrays", path_, key);
  }
  if (count > left() / MinBytes(kind)) {
    return Error(StatusCode::kCorruptFile, "{}: {}: array of {} elements, but {} bytes are left",
                 path_, key, count, left());
  }
  if (count > kMaxArrayElements - array_elements_) {
    return Error(StatusCode::kUnsupported, "{}: {}: array of {} elements, at most {} are handled",
                 path_, key, count, kMaxArrayElements - array_elements_);
  }
  array_elements_ += count;
  switch (kind) {
    case GgufKind::kU8:
      return ReadNumbers<uint8_t, uint64_t>(count, key);
    case GgufKind::kI8:
      return ReadNumbers<int8_t, int64_t>(count, key);
    case GgufKind::kU16:
      return ReadNumbers<uint16_t, uint64_t>(count, key);
    case GgufKind::kI16:
      return ReadNumbers<int16_t, int64_t>(count, key);
    case GgufKind::kU32:
      return ReadNumbers<uint32_t, uint64_t>(count, key);
    case GgufKind::kI32:
      return ReadNumbers<int32_t, int64_t>(count, key);
    case GgufKind::kU64:
      return ReadNumbers<uint64_t, uint64_t>(count, key);
    case GgufKind::kI64:
      return ReadNumbers<int64_t, int64_t>(count, key);
    case GgufKind::kF32:
      return ReadNumbers<float, double>(count, key);
    case GgufKind::kF64:
      return ReadNumbers<double, double>(count, key);
    case GgufKind::kString: {
      std::vector<std::string_view> values(count);
      for (std::string_view& value : values) G3N_RETURN_IF_ERROR(ReadString(&value, key));
      return GgufValue(std::move(values));
    }
    default:
      break;
  }
  std::vector<bool> values(count);
  for (uint64_t i = 0; i < count; ++i) {
    G3N_ASSIGN_OR_RETURN(const GgufValue value, ReadScalar(GgufKind::kBool, key));
    values[i] = std::get<bool>(value);
  }
  return GgufValue(std::move(values));
}

Result<GgufValue> GgufReader::ReadValue(std::string_view key) {
  uint32_t kind = 0;
  G3N_RETURN_IF_ERROR(Read(&kind, key));
  if (kind >= kGgufKinds) {
    return Error(StatusCode::kCorruptFile, "{}: {}: value of unknown kind {}", path_, key, kind);
  }
  if (static_cast<GgufKind>(kind) == GgufKind::kArray) return ReadArray(key);
  return ReadScalar(static_cast<GgufKind>(kind), key);
}

}  // namespace gemma3n::internal
