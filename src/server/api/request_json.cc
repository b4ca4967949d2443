#include "server/api/request_json.h"

#include <cmath>
#include <utility>

#include "formats/json.h"

namespace gemma3n::server {
namespace {

const Json& EmptyObject() {
  static const Json empty = Json::object();
  return empty;
}

const Json& EmptyList() {
  static const Json empty = Json::array();
  return empty;
}

// A whole number, also one written as 1.0; none for others.
std::optional<int64_t> Whole(const Json& value) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return std::nullopt;
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (std::floor(number) != number || std::abs(number) > 9007199254740992.0) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace

int HttpStatusOf(const RequestError& error) {
  return error.status.code() == StatusCode::kResourceExhausted ? 503 : 400;
}

Result<Json> ParseBody(std::string_view body) {
  Result<Json> json = ParseOrderedJson(body, "request");
  if (!json.ok()) return Status(StatusCode::kInvalidArgument, json.status().message());
  if (!json->is_object()) {
    return Error(StatusCode::kInvalidArgument, "request: expected a JSON object, found {}",
                 Shown(*json));
  }
  return json;
}

std::string Shown(const Json& value) {
  constexpr size_t kMost = 80;
  // A long text or list is not written out just to be cut.
  if (value.is_structured() && value.size() > kMost) {
    return fmt::format("{} of {}", value.is_object() ? "an object" : "a list", value.size());
  }
  if (value.is_string() && value.get_ref<const std::string&>().size() > kMost) {
    const std::string& text = value.get_ref<const std::string&>();
    return DumpOrderedJson(text.substr(0, kMost)) + "...";
  }
  std::string text = DumpOrderedJson(value);
  if (text.size() > 2 * kMost) text = text.substr(0, kMost) + "...";
  return text;
}

Fields::Fields(const Json& object, std::string path, std::optional<RequestError>* error)
    : object_(object.is_object() ? object : EmptyObject()), path_(std::move(path)), error_(error) {
  if (object.is_object()) return;
  Fail("", Error(StatusCode::kInvalidArgument, "{}: expected an object, found {}",
                 path_.empty() ? "request" : path_, Shown(object)));
}

const Json* Fields::Find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

template <typename T>
void Fields::ReadNumber(std::string_view key, double min, double max, T* out) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (number >= min && number <= max) {
    *out = static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(number);
  } else if (max >= 1e30) {
    Unexpected(key, fmt::format("a number of {} or more", min));
  } else {
    Unexpected(key, fmt::format("a number from {} to {}", min, max));
  }
}

template <typename T>
void Fields::ReadInteger(std::string_view key, int64_t min, int64_t max, T* out) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return;
  const std::optional<int64_t> number = Whole(*value);
  if (number && *number >= min && *number <= max) {
    using Plain =
        std::conditional_t<std::is_same_v<T, int> || std::is_same_v<T, std::optional<int>>, int,
                           int64_t>;
    *out = static_cast<Plain>(*number);
  } else if (max >= INT32_MAX) {
    Unexpected(key, fmt::format("a whole number of {} or more", min));
  } else {
    Unexpected(key, fmt::format("a whole number from {} to {}", min, max));
  }
}

void Fields::Number(std::string_view key, double min, double max, float* out) const {
  ReadNumber(key, min, max, out);
}
void Fields::Number(std::string_view key, double min, double max, std::optional<float>* out) const {
  ReadNumber(key, min, max, out);
}
void Fields::Number(std::string_view key, double min, double max, double* out) const {
  ReadNumber(key, min, max, out);
}
void Fields::Integer(std::string_view key, int64_t min, int64_t max, int64_t* out) const {
  ReadInteger(key, min, max, out);
}
void Fields::Integer(std::string_view key, int64_t min, int64_t max, int* out) const {
  ReadInteger(key, min, max, out);
}
void Fields::Integer(std::string_view key, int64_t min, int64_t max,
                     std::optional<int>* out) const {
  ReadInteger(key, min, max, out);
}
void Fields::Integer(std::string_view key, int64_t min, int64_t max,
                     std::optional<int64_t>* out) const {
  ReadInteger(key, min, max, out);
}

void Fields::Bool(std::string_view key, bool* out) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return;
  if (!value->is_boolean()) return Unexpected(key, "true or false");
  *out = value->get<bool>();
}

void Fields::String(std::string_view key, std::string* out) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return;
  if (!value->is_string()) return Unexpected(key, "a string");
  *out = value->get<std::string>();
}

void Fields::Strings(std::string_view key, size_t most, std::vector<std::string>* out) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return;
  std::vector<std::string> strings;
  if (value->is_string()) {
    strings.push_back(value->get<std::string>());
  } else if (value->is_array() && value->size() <= most) {
    for (const Json& element : *value) {
      if (element.is_string()) strings.push_back(element.get<std::string>());
    }
  }
  if (!value->is_string() && (!value->is_array() || strings.size() != value->size())) {
    return Unexpected(key, fmt::format("a string or a list of at most {}", most));
  }
  *out = std::move(strings);
}

std::string Fields::NeedString(std::string_view key) const {
  std::string text;
  if (!Has(key)) Unexpected(key, "a string");
  String(key, &text);
  return text;
}

const Json& Fields::List(std::string_view key, size_t most) const {
  const Json* value = Find(key);
  if (value == nullptr || !ok()) return EmptyList();
  if (value->is_array() && value->size() <= most) return *value;
  Unexpected(key, fmt::format("a list of at most {}", most));
  return EmptyList();
}

Fields Fields::Object(std::string_view key) const {
  const Json* value = Find(key);
  return Fields(value == nullptr ? EmptyObject() : *value, PathOf(key), error_);
}

Fields Fields::Element(std::string_view key, size_t index, const Json& element) const {
  return Fields(element, fmt::format("{}[{}]", PathOf(key), index), error_);
}

void Fields::Unexpected(std::string_view key, std::string_view expected) const {
  const Json* value = Find(key);
  Fail(key, Error(StatusCode::kInvalidArgument, "{}: expected {}, found {}", PathOf(key), expected,
                  value == nullptr ? "nothing" : Shown(*value)));
}

void Fields::Fail(std::string_view key, Status status) const {
  if (ok()) *error_ = RequestError{PathOf(key), std::move(status)};
}

std::string Fields::PathOf(std::string_view key) const {
  if (path_.empty()) return std::string(key);
  return key.empty() ? path_ : fmt::format("{}.{}", path_, key);
}

RequestBody::RequestBody(std::string_view text) : json_(Json::object()) {
  Result<Json> parsed = ParseBody(text);
  if (parsed.ok()) {
    json_ = *std::move(parsed);
  } else {
    error_ = RequestError{"", parsed.status()};
  }
}

}  // namespace gemma3n::server
