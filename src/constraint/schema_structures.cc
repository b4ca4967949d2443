// Values with parts: objects and arrays.
#include <algorithm>
#include <set>

#include "constraint/schema_compiler.h"

namespace gemma3n {

Status SchemaCompiler::Required(const SchemaParts& parts, std::vector<std::string>& names) {
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (!schema.contains("required")) continue;
    if (!schema["required"].is_array())
      return document_.Malformed(schema, "required", "a list of names");
    for (const Schema& name : schema["required"]) {
      if (!name.is_string()) return document_.Malformed(schema, "required", "a list of names");
      names.push_back(name.get<std::string>());
    }
  }
  return OkStatus();
}

// Keywords about properties that hold whatever the object is pass; others are refused.
Status SchemaCompiler::CheckNamesAndCounts(const Schema& schema, const Program::Node& object) {
  if (schema.contains("propertyNames")) {
    const Schema& names = schema["propertyNames"];
    if (names != true && names != Schema::object() && names != Schema{{"type", "string"}})
      return document_.Unsupported(schema, "propertyNames");
  }
  const auto required =
      std::count_if(object.properties.begin(), object.properties.end(),
                    [](const Program::Property& property) { return property.required; });
  G3N_ASSIGN_OR_RETURN(const auto least, Count(schema, "minProperties"));
  if (least && *least > required)
    return document_.Unsupported(schema, "minProperties", "more than are required");
  G3N_ASSIGN_OR_RETURN(const auto most, Count(schema, "maxProperties"));
  const bool closed =
      schema.contains("additionalProperties") && schema["additionalProperties"] == false;
  if (most && (!closed || *most < std::ssize(object.properties)))
    return document_.Unsupported(schema, "maxProperties", "fewer than there may be");
  return OkStatus();
}

Result<int32_t> SchemaCompiler::PropertyNode(const SchemaParts& parts, const std::string& name,
                                             bool named) {
  SchemaParts inner;
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (named && schema.contains("properties") && schema["properties"].contains(name))
      inner.push_back({document_.Inside(schema, "properties", name), 0});
    else if (schema.contains("additionalProperties"))
      inner.push_back({document_.Inside(schema, "additionalProperties"), 0});
  }
  return NodeOf(std::move(inner));
}

Result<std::optional<int32_t>> SchemaCompiler::Object(const SchemaParts& parts) {
  Program::Node node;
  node.kind = Program::Node::Kind::kObject;
  std::vector<std::string> names, required;
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (!schema.contains("properties")) continue;
    if (!schema["properties"].is_object())
      return document_.Malformed(schema, "properties", "an object");
    for (const auto& [name, property] : schema["properties"].items()) names.push_back(name);
  }
  G3N_RETURN_IF_ERROR(Required(parts, required));
  names.insert(names.end(), required.begin(), required.end());
  const std::set<std::string> must(required.begin(), required.end());
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) continue;
    G3N_ASSIGN_OR_RETURN(const int32_t value, PropertyNode(parts, name, true));
    node.properties.push_back({name, value, must.contains(name)});
  }
  for (const SchemaPart& part : parts) G3N_RETURN_IF_ERROR(CheckNamesAndCounts(*part.schema, node));
  G3N_ASSIGN_OR_RETURN(node.rest, PropertyNode(parts, {}, false));
  G3N_ASSIGN_OR_RETURN(const int32_t id, AddNode(std::move(node)));
  return std::optional<int32_t>(id);
}

Result<std::optional<int32_t>> SchemaCompiler::Array(const SchemaParts& parts) {
  Program::Node node;
  node.kind = Program::Node::Kind::kArray;
  G3N_RETURN_IF_ERROR(Limits(parts, "minItems", "maxItems", node.least, node.most));
  size_t first = 0;
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (schema.contains("items") && schema["items"].is_array())
      return document_.Unsupported(schema, "items", "as a list (prefixItems is what it became)");
    if (!schema.contains("prefixItems")) continue;
    if (!schema["prefixItems"].is_array())
      return document_.Malformed(schema, "prefixItems", "a list of schemas");
    first = std::max(first, schema["prefixItems"].size());
  }
  // One more than the longest list of first values: the rest.
  for (size_t i = 0; i <= first; ++i) {
    SchemaParts inner;
    for (const SchemaPart& part : parts) {
      const Schema& schema = *part.schema;
      if (schema.contains("prefixItems") && i < schema["prefixItems"].size())
        inner.push_back({document_.Inside(schema, "prefixItems", i), 0});
      else if (schema.contains("items"))
        inner.push_back({document_.Inside(schema, "items"), 0});
    }
    G3N_ASSIGN_OR_RETURN(const int32_t value, NodeOf(std::move(inner)));
    if (i < first)
      node.parts.push_back(value);
    else
      node.rest = value;
  }
  if (node.most < node.least) return std::optional<int32_t>();
  G3N_ASSIGN_OR_RETURN(const int32_t id, AddNode(std::move(node)));
  return std::optional<int32_t>(id);
}

}  // namespace gemma3n
