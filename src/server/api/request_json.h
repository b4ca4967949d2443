// Fields of a request's JSON, read with their type and range checked. The first thing that is wrong
// is kept and later reads leave their targets alone, so that a reader of many fields asks once, at
// its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n::server {

using Json = nlohmann::ordered_json;  // a schema's properties keep their order

// What is wrong with a request, and where: "messages[0].content", "" for the whole.
struct RequestError {
  std::string param;
  Status status;
};

// Its HTTP status: what is wrong with a request is the client's to mend (400), unless the server
// lacks something for it at the moment (503).
int HttpStatusOf(const RequestError& error);

// The body of a request as an object. Errors: kInvalidArgument for what is no JSON object, is
// nested deeper than 64, or holds more than a million values.
Result<Json> ParseBody(std::string_view body);

// A value for an error message: its JSON, cut to fit.
std::string Shown(const Json& value);

class Fields {
 public:
  // `path`: what stands in front of the keys in messages, "" for the outermost object. An `object`
  // that is none is the first error. `object` and `error` must outlive this.
  Fields(const Json& object, std::string path, std::optional<RequestError>* error);

  bool ok() const { return !error_->has_value(); }
  const std::string& path() const { return path_; }

  // Null where the key is absent or its value is null.
  const Json* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Each leaves `out` alone where the key is absent, null, or something was wrong before.
  void Number(std::string_view key, double min, double max, float* out) const;
  void Number(std::string_view key, double min, double max, std::optional<float>* out) const;
  void Number(std::string_view key, double min, double max, double* out) const;
  void Integer(std::string_view key, int64_t min, int64_t max, int64_t* out) const;
  void Integer(std::string_view key, int64_t min, int64_t max, int* out) const;
  void Integer(std::string_view key, int64_t min, int64_t max, std::optional<int>* out) const;
  void Integer(std::string_view key, int64_t min, int64_t max, std::optional<int64_t>* out) const;
  void Bool(std::string_view key, bool* out) const;
  void String(std::string_view key, std::string* out) const;
  // One string, or a list of at most `most`.
  void Strings(std::string_view key, size_t most, std::vector<std::string>* out) const;

  // The same, where absence is an error.
  std::string NeedString(std::string_view key) const;

  // The elements of a list; none where it is absent. At most `most`.
  const Json& List(std::string_view key, size_t most) const;
  // The object below a key; an empty one where it is absent.
  Fields Object(std::string_view key) const;
  // An element of a list below a key, with its number in the path.
  Fields Element(std::string_view key, size_t index, const Json& element) const;

  // Reports that the value of a key is not what was expected: "key: expected ..., found ...".
  void Unexpected(std::string_view key, std::string_view expected) const;
  // Reports something else that is wrong with a key ("": with the object itself).
  void Fail(std::string_view key, Status status) const;

  std::string PathOf(std::string_view key) const;

 private:
  template <typename T>
  void ReadNumber(std::string_view key, double min, double max, T* out) const;
  template <typename T>
  void ReadInteger(std::string_view key, int64_t min, int64_t max, T* out) const;

  const Json& object_;
  std::string path_;
  std::optional<RequestError>* error_;
};

// A request's body while its fields are read. One that is no JSON object (ParseBody) is the first
// error and has no fields.
class RequestBody {
 public:
  explicit RequestBody(std::string_view text);
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  const Json& json() const { return json_; }
  const Fields& fields() const { return fields_; }
  const std::optional<RequestError>& error() const { return error_; }

 private:
  std::optional<RequestError> error_;
  Json json_;
  Fields fields_{json_, "", &error_};
};

}  // namespace gemma3n::server
