// A cursor over the untrusted bytes of a GGUF file: every read is checked against what is left.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "formats/gguf.h"

namespace gemma3n::internal {

// Kinds of metadata values, numbered as in the file.
enum class GgufKind : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};
inline constexpr uint32_t kGgufKinds = 13;

class GgufReader {
 public:
  GgufReader(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }
  // The bytes from `begin` up to here.
  std::string_view Since(uint64_t begin) const { return bytes_.substr(begin, position_ - begin); }

  // A little-endian number. `what` names it in the message. Errors: kCorruptFile (truncated).
  template <typename T>
  Status Read(T* value, std::string_view what) {
    static_assert(std::is_arithmetic_v<T>);
    if (left() < sizeof(T)) return Truncated(what, sizeof(T));
    std::memcpy(value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return OkStatus();
  }

  // A length and as many bytes, not copied.
  Status ReadString(std::string_view* value, std::string_view what);

  // A kind and a value of it; `key` names it in messages. Errors: kCorruptFile, kUnsupported
  // (arrays of arrays).
  Result<GgufValue> ReadValue(std::string_view key);

 private:
  Status Truncated(std::string_view what, uint64_t bytes) const;
  Result<GgufValue> ReadScalar(GgufKind kind, std::string_view key);
  Result<GgufValue> ReadArray(std::string_view key);
  template <typename Stored, typename Held>
  Result<GgufValue> ReadNumber(std::string_view key);
  template <typename Stored, typename Held>
  Result<GgufValue> ReadNumbers(uint64_t count, std::string_view key);

  std::string_view bytes_;
  const std::string& path_;
  uint64_t position_ = 0;
  uint64_t array_elements_ = 0;  // of all arrays so far: what the values in memory are bounded by
};

}  // namespace gemma3n::internal
