// The JSON header of a safetensors file, read as a stream of events: no document is built, nesting
// costs no stack.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n::internal {

// The limit of the format's reference implementation.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// One entry, as written: nothing but the JSON kinds has been checked.
struct HeaderTensor {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;  // within the data
};

// Errors: kCorruptFile (not JSON, a field that is missing, twice or of another kind, two tensors of
// one name).
Result<std::vector<HeaderTensor>> ParseSafetensorsHeader(std::string_view json,
                                                         const std::string& path);

// "[2, 3]" of a shape that may not fit StoredTensor's.
std::string HeaderShape(const std::vector<uint64_t>& shape);

}  // namespace gemma3n::internal
