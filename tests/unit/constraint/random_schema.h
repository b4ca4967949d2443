// Schemas out of a generator's bits, and values that they allow.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace gemma3n {

class RandomSchema {
 public:
  using Json = nlohmann::ordered_json;
  explicit RandomSchema(uint64_t seed) : rng_(seed) {}

  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(rng_() % n); }
  bool OneIn(uint32_t n) { return Below(n) == 0; }

  // With definitions that refer to each other.
  Json Document() {
    Json schema = Schema(3);
    if (schema.is_boolean()) schema = Json::object();
    schema["$defs"]["d0"] = Schema(2);
    // d1 ends: its reference to itself may be left out.
    schema["$defs"]["d1"] = {{"type", "object"},
                             {"properties", {{"v", Schema(1)}, {"next", {{"$ref", "#/$defs/d1"}}}}},
                             {"required", {"v"}},
                             {"additionalProperties", false}};
    return schema;
  }

  Json Schema(int depth) {
    switch (Below(depth > 0 ? 13 : 8)) {
      case 0:
        return {{"type", "null"}};
      case 1:
        return {{"type", "boolean"}, {"title", "t"}};
      case 2:
        return Number();
      case 3:
        return String();
      case 4:
        return {{"enum", {"a", "ab\n", 3, nullptr, "é\"", {{"k", {1, 2}}}}}};
      case 5:
        return {{"const", Name()}};
      case 6:
        return {{"type", {"string", "null", "integer"}}, {"maxLength", 3}};
      case 7:
        return OneIn(3) ? Json::object() : Json{{"$ref", "#/$defs/d" + std::to_string(Below(2))}};
      case 8:
        return {{OneIn(2) ? "anyOf" : "oneOf", {Schema(depth - 1), Schema(depth - 1)}}};
      case 9:
        return Array(depth);
      case 10:
        return {{"allOf", {{{"type", "number"}, {"minimum", -3}}, {{"maximum", 40.5}}}}};
      default:
        return Object(depth);
    }
  }

 private:
  std::string Name() {
    static const char* kNames[] = {"a", "ab", "name", "名", "x y", "q\"", "b\\", ""};
    return kNames[Below(8)];
  }
  Json Number() {
    Json schema = {{"type", OneIn(2) ? "integer" : "number"}};
    if (OneIn(2)) schema["minimum"] = static_cast<int>(Below(200)) - 100;
    if (OneIn(2)) schema["maximum"] = 100 + static_cast<int>(Below(4000));
    if (OneIn(4)) schema["exclusiveMinimum"] = -99.5;
    return schema;
  }
  Json String() {
    Json schema = {{"type", "string"}};
    if (OneIn(3)) schema["minLength"] = Below(4);
    if (OneIn(2)) schema["maxLength"] = 4 + Below(8);
    if (OneIn(3)) schema["pattern"] = OneIn(2) ? "^[a-c]+(-[0-9]{2})?$" : "x|^y";
    return schema;
  }
  Json Array(int depth) {
    Json schema = {{"type", "array"}, {"items", Schema(depth - 1)}};
    if (OneIn(3)) schema["prefixItems"] = {Schema(depth - 1), Schema(depth - 1)};
    if (OneIn(2)) schema["minItems"] = Below(3);
    schema["maxItems"] = 2 + Below(3);
    return schema;
  }
  Json Object(int depth) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}};
    Json required = Json::array();
    for (uint32_t i = Below(4); i > 0; --i) {
      const std::string name = Name();
      if (OneIn(2) && !schema["properties"].contains(name)) required.push_back(name);
      schema["properties"][name] = Schema(depth - 1);
    }
    if (!required.empty()) schema["required"] = required;
    if (OneIn(2))
      schema["additionalProperties"] = false;
    else if (OneIn(2))
      schema["additionalProperties"] = Schema(depth - 1);
    return schema;
  }

  std::mt19937_64 rng_;
};

}  // namespace gemma3n
