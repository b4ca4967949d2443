// An independent judge: whether a JSON value is one that a schema allows. For the tests' schemas:
// no formats, patterns by std::regex.
#pragma once

#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace gemma3n {

class Validator {
 public:
  using Json = nlohmann::json;
  explicit Validator(Json root) : root_(std::move(root)) {}

  bool Allows(const Json& value) const { return Allows(root_, value); }

 private:
  bool Allows(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"];
      if (!Allows(root_.at(Json::json_pointer(ref.substr(1))), value)) return false;
    }
    if (schema.contains("type") && !HasType(schema["type"], value)) return false;
    if (schema.contains("const") && schema["const"] != value) return false;
    if (schema.contains("enum")) {
      bool listed = false;
      for (const Json& one : schema["enum"]) listed = listed || one == value;
      if (!listed) return false;
    }
    for (const char* keyword : {"anyOf", "oneOf"}) {
      if (!schema.contains(keyword)) continue;
      bool some = false;
      for (const Json& one : schema[keyword]) some = some || Allows(one, value);
      if (!some) return false;
    }
    if (schema.contains("allOf")) {
      for (const Json& one : schema["allOf"]) {
        if (!Allows(one, value)) return false;
      }
    }
    return Numbers(schema, value) && Strings(schema, value) && Objects(schema, value) &&
           Arrays(schema, value);
  }

  static bool HasType(const Json& type, const Json& value) {
    if (type.is_array()) {
      bool some = false;
      for (const Json& one : type) some = some || HasType(one, value);
      return some;
    }
    return (type == "null" && value.is_null()) || (type == "boolean" && value.is_boolean()) ||
           (type == "string" && value.is_string()) || (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) || (type == "number" && value.is_number()) ||
           (type == "integer" && value.is_number_integer());
  }

  static bool Numbers(const Json& schema, const Json& value) {
    if (!value.is_number()) return true;
    const double number = value.get<double>();
    return (!schema.contains("minimum") || number >= schema["minimum"].get<double>()) &&
           (!schema.contains("maximum") || number <= schema["maximum"].get<double>()) &&
           (!schema.contains("exclusiveMinimum") ||
            number > schema["exclusiveMinimum"].get<double>()) &&
           (!schema.contains("exclusiveMaximum") ||
            number < schema["exclusiveMaximum"].get<double>());
  }

  static bool Strings(const Json& schema, const Json& value) {
    if (!value.is_string()) return true;
    const std::string text = value;
    size_t length = 0;
    for (const char c : text) length += (c & 0xC0) != 0x80;
    if (schema.contains("minLength") && length < schema["minLength"].get<size_t>()) return false;
    if (schema.contains("maxLength") && length > schema["maxLength"].get<size_t>()) return false;
    return !schema.contains("pattern") ||
           std::regex_search(text, std::regex(schema["pattern"].get<std::string>()));
  }

  bool Objects(const Json& schema, const Json& value) const {
    if (!value.is_object()) return true;
    if (schema.contains("required")) {
      for (const Json& name : schema["required"]) {
        if (!value.contains(name.get<std::string>())) return false;
      }
    }
    for (const auto& [name, member] : value.items()) {
      const bool named = schema.contains("properties") && schema["properties"].contains(name);
      if (named && !Allows(schema["properties"][name], member)) return false;
      if (!named && schema.contains("additionalProperties") &&
          !Allows(schema["additionalProperties"], member))
        return false;
    }
    return true;
  }

  bool Arrays(const Json& schema, const Json& value) const {
    if (!value.is_array()) return true;
    if (schema.contains("minItems") && value.size() < schema["minItems"].get<size_t>())
      return false;
    if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<size_t>())
      return false;
    const size_t prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
    for (size_t i = 0; i < value.size(); ++i) {
      if (i < prefix && !Allows(schema["prefixItems"][i], value[i])) return false;
      if (i >= prefix && schema.contains("items") && !Allows(schema["items"], value[i]))
        return false;
    }
    return true;
  }

  Json root_;
};

}  // namespace gemma3n
