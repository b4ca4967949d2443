// Element types of stored tensors: plain floats, and the block-quantised types of GGUF files.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gemma3n {

enum class DType : uint8_t {
  kF32, kF16, kBF16,
  kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1,       // blocks of 32
  kQ4_K, kQ5_K, kQ6_K,                     // super-blocks of 256
  kIQ4_NL,                                 // blocks of 32
  kIQ4_XS,                                 // super-blocks of 256
};
inline constexpr int kDTypeCount = 13;

// How a row of a tensor is cut into blocks.
struct DTypeTraits {
  const char* name;        // "BF16", "Q4_0", "Q4_K", ...
  int block_elements;      // 1 for plain floats
  int block_bytes;
  uint32_t ggml_type;      // number in GGUF files
};

const DTypeTraits& Traits(DType type);
inline const char* Name(DType type) { return Traits(type).name; }
std::optional<DType> DTypeFromGgml(uint32_t ggml_type);
std::optional<DType> DTypeFromName(std::string_view name);

// Bytes of a row of `elements` values. Precondition: elements is a multiple of block_elements.
inline int64_t RowBytes(DType type, int64_t elements) {
  const DTypeTraits& t = Traits(type);
  return elements / t.block_elements * t.block_bytes;
}

}  // namespace gemma3n
