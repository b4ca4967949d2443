// Typed fields of a JSON object from an untrusted file: the first field of the wrong kind is
// remembered as the failure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gemma3n::internal {

class JsonFields {
 public:
  // `where` is the file (and the object inside it) for messages. `object` must outlive this.
  JsonFields(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  const Status& status() const { return status_; }
  const std::string& where() const { return where_; }

  // The field, or null where it is absent or JSON null: both mean "the default".
  const nlohmann::json* Find(const char* key) const;

  // Whether the field is there and null: "none" for the few fields that have such a value.
  bool IsNull(const char* key) const;

  // A nested object, or an empty one where it is absent. Errors: kCorruptFile.
  Result<const nlohmann::json*> Object(const char* key) const;

  // Set *out where the field is given; leave it alone where it is not.
  void Int(const char* key, int64_t* out);
  void TokenId(const char* key, int32_t* out);
  void Float(const char* key, float* out);
  void Bool(const char* key, bool* out);
  void Floats(const char* key, std::vector<float>* out);
  // One integer becomes `count` of them.
  void IntOrInts(const char* key, int64_t count, std::vector<int64_t>* out);
  // One id or a list of ids.
  void TokenIds(const char* key, std::vector<int32_t>* out);
  std::optional<std::string> String(const char* key);

  // Remembers that the field is not what was expected, unless an earlier one already was not.
  void Fail(const char* key, const std::string& expected);

 private:
  const nlohmann::json& object_;
  std::string where_;
  Status status_;
};

}  // namespace gemma3n::internal
