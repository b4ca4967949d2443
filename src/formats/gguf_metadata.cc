// Typed look-ups of GGUF metadata.
#include <limits>

#include "formats/gguf.h"

namespace gemma3n {
namespace {

constexpr uint64_t kMaxInt = std::numeric_limits<int64_t>::max();

template <typename T>
const T* Find(const std::map<std::string, GgufValue>& metadata, const std::string& key) {
  const auto at = metadata.find(key);
  return at == metadata.end() ? nullptr : std::get_if<T>(&at->second);
}

}  // namespace

std::optional<bool> GgufFile::GetBool(const std::string& key) const {
  const bool* value = Find<bool>(metadata_, key);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<int64_t> GgufFile::GetInt(const std::string& key) const {
  if (const auto* value = Find<int64_t>(metadata_, key)) return *value;
  const auto* value = Find<uint64_t>(metadata_, key);
  if (value == nullptr || *value > kMaxInt) return std::nullopt;
  return static_cast<int64_t>(*value);
}

std::optional<double> GgufFile::GetFloat(const std::string& key) const {
  if (const auto* value = Find<double>(metadata_, key)) return *value;
  if (const auto value = GetInt(key)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::string_view> GgufFile::GetString(const std::string& key) const {
  const auto* value = Find<std::string_view>(metadata_, key);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::vector<int64_t>> GgufFile::GetInts(const std::string& key) const {
  if (const auto* values = Find<std::vector<int64_t>>(metadata_, key)) return *values;
  const auto* values = Find<std::vector<uint64_t>>(metadata_, key);
  if (values == nullptr) return std::nullopt;
  std::vector<int64_t> converted;
  converted.reserve(values->size());
  for (uint64_t v : *values) {
    if (v > kMaxInt) return std::nullopt;
    converted.push_back(static_cast<int64_t>(v));
  }
  return converted;
}

std::optional<std::vector<double>> GgufFile::GetFloats(const std::string& key) const {
  if (const auto* values = Find<std::vector<double>>(metadata_, key)) return *values;
  const auto ints = GetInts(key);
  if (!ints) return std::nullopt;
  return std::vector<double>(ints->begin(), ints->end());
}

std::optional<std::vector<bool>> GgufFile::GetBools(const std::string& key) const {
  const auto* values = Find<std::vector<bool>>(metadata_, key);
  return values == nullptr ? std::nullopt : std::optional(*values);
}

const std::vector<std::string_view>* GgufFile::GetStrings(const std::string& key) const {
  return Find<std::vector<std::string_view>>(metadata_, key);
}

std::optional<std::string_view> GgufFile::GetRaw(const std::string& key) const {
  const auto at = raw_.find(key);
  return at == raw_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace gemma3n
