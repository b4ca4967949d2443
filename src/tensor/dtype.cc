#include "tensor/dtype.h"

namespace gemma3n {
namespace {

// Indexed by DType. Numbers and sizes: ggml's public GGUF description.
constexpr DTypeTraits kTraits[kDTypeCount] = {
    {"F32", 1, 4, 0},      {"F16", 1, 2, 1},      {"BF16", 1, 2, 30},    {"Q8_0", 32, 34, 8},
    {"Q4_0", 32, 18, 2},   {"Q4_1", 32, 20, 3},   {"Q5_0", 32, 22, 6},   {"Q5_1", 32, 24, 7},
    {"Q4_K", 256, 144, 12}, {"Q5_K", 256, 176, 13}, {"Q6_K", 256, 210, 14}, {"IQ4_NL", 32, 18, 20},
    {"IQ4_XS", 256, 136, 23},
};

}  // namespace

const DTypeTraits& Traits(DType type) { return kTraits[static_cast<int>(type)]; }

std::optional<DType> DTypeFromGgml(uint32_t ggml_type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kTraits[i].ggml_type == ggml_type) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == kTraits[i].name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace gemma3n
