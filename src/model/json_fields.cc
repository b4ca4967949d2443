#include "model/json_fields.h"

#include <cmath>
#include <limits>

#include "formats/json.h"

namespace gemma3n::internal {
namespace {

using nlohmann::json;

std::optional<int64_t> AsInt(const json& value) {
  if (value.is_number_unsigned()) {
    const auto v = value.get<uint64_t>();
    if (v > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(v);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return std::nullopt;
}

std::optional<int32_t> AsTokenId(const json& value) {
  const auto v = AsInt(value);
  if (!v || *v < 0 || *v > std::numeric_limits<int32_t>::max()) return std::nullopt;
  return static_cast<int32_t>(*v);
}

std::optional<float> AsFloat(const json& value) {
  if (!value.is_number()) return std::nullopt;
  const auto v = static_cast<float>(value.get<double>());
  return std::isfinite(v) ? std::optional(v) : std::nullopt;
}

// The value for a message: whole when short.
std::string Excerpt(const json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = DumpJson(value);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

const json* JsonFields::Find(const char* key) const {
  const auto at = object_.find(key);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

bool JsonFields::IsNull(const char* key) const {
  const auto at = object_.find(key);
  return at != object_.end() && at->is_null();
}

Result<const json*> JsonFields::Object(const char* key) const {
  static const json kEmpty = json::object();
  const json* value = Find(key);
  if (value == nullptr) return &kEmpty;
  if (!value->is_object()) {
    return Error(StatusCode::kCorruptFile, "{}: {}: expected an object", where_, key);
  }
  return value;
}

void JsonFields::Fail(const char* key, const std::string& expected) {
  if (!status_.ok()) return;
  const json* value = Find(key);
  status_ = Error(StatusCode::kCorruptFile, "{}: {}: expected {}, found {}", where_, key, expected,
                  value == nullptr ? "nothing" : Excerpt(*value));
}

void JsonFields::Int(const char* key, int64_t* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  const auto v = AsInt(*value);
  v ? void(*out = *v) : Fail(key, "an integer");
}

void JsonFields::TokenId(const char* key, int32_t* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  const auto v = AsTokenId(*value);
  v ? void(*out = *v) : Fail(key, "a token id");
}

void JsonFields::Float(const char* key, float* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  const auto v = AsFloat(*value);
  v ? void(*out = *v) : Fail(key, "a number");
}

void JsonFields::Bool(const char* key, bool* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  value->is_boolean() ? void(*out = value->get<bool>()) : Fail(key, "true or false");
}

void JsonFields::Floats(const char* key, std::vector<float>* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return Fail(key, "a list of numbers");
  out->clear();
  for (const json& item : *value) {
    const auto v = AsFloat(item);
    if (!v) return Fail(key, "a list of numbers");
    out->push_back(*v);
  }
}

void JsonFields::IntOrInts(const char* key, int64_t count, std::vector<int64_t>* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (const auto one = AsInt(*value)) {
    out->assign(static_cast<size_t>(count), *one);
    return;
  }
  if (!value->is_array()) return Fail(key, "an integer or a list of integers");
  out->clear();
  for (const json& item : *value) {
    const auto v = AsInt(item);
    if (!v) return Fail(key, "an integer or a list of integers");
    out->push_back(*v);
  }
}

void JsonFields::TokenIds(const char* key, std::vector<int32_t>* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  out->clear();
  const auto add = [&](const json& item) {
    const auto v = AsTokenId(item);
    v ? out->push_back(*v) : Fail(key, "a token id or a list of token ids");
  };
  if (!value->is_array()) return add(*value);
  for (const json& item : *value) add(item);
}

std::optional<std::string> JsonFields::String(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  Fail(key, "a string");
  return std::nullopt;
}

}  // namespace gemma3n::internal
