#include "constraint/schema_compiler.h"

#include <algorithm>

namespace gemma3n {

Result<Program> CompileSchema(std::string_view schema) {
  if (schema.size() > (size_t{1} << 20)) {
    return Error(StatusCode::kResourceExhausted,
                 "JSON Schema: expected at most 1 MiB, found {} bytes", schema.size());
  }
  auto root = ParseOrderedJson(schema, "JSON Schema");
  if (!root.ok()) return Status(StatusCode::kInvalidArgument, root.status().message());
  return SchemaCompiler(std::move(*root)).Compile();
}

Result<Program> SchemaCompiler::Compile() {
  G3N_ASSIGN_OR_RETURN(program_.root, NodeOf({{&document_.root(), 0}}));
  while (!open_.empty()) {
    const auto [node, parts] = std::move(open_.front());
    open_.pop_front();
    G3N_RETURN_IF_ERROR(Fill(node, parts));
  }
  G3N_RETURN_IF_ERROR(FinishProgram(program_));
  return std::move(program_);
}

Result<int32_t> SchemaCompiler::AddNode(Program::Node node) {
  if (program_.nodes.size() >= kMaxNodes) {
    return Error(StatusCode::kResourceExhausted,
                 "JSON Schema: it takes more than {} different values apart", kMaxNodes);
  }
  program_.nodes.push_back(std::move(node));
  return static_cast<int32_t>(program_.nodes.size()) - 1;
}

Result<int32_t> SchemaCompiler::NodeOf(SchemaParts parts) {
  bool never = false;
  G3N_RETURN_IF_ERROR(document_.Resolve(parts, never));
  if (never) return AddNode({});  // a choice of nothing
  std::vector<std::pair<const Schema*, uint8_t>> key;
  for (const SchemaPart& part : parts) key.emplace_back(part.schema, part.done);
  std::sort(key.begin(), key.end());
  if (const auto it = known_.find(key); it != known_.end()) return it->second;
  G3N_ASSIGN_OR_RETURN(const int32_t node, AddNode({}));
  known_.emplace(std::move(key), node);
  open_.emplace_back(node, std::move(parts));
  return node;
}

Status SchemaCompiler::Fill(int32_t node, const SchemaParts& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const SchemaPart& part = parts[i];
    if (part.schema->contains("anyOf") && (part.done & SchemaPart::kAnyOf) == 0)
      return FillChoice(node, parts, i, "anyOf", SchemaPart::kAnyOf);
    if (part.schema->contains("oneOf") && (part.done & SchemaPart::kOneOf) == 0)
      return FillChoice(node, parts, i, "oneOf", SchemaPart::kOneOf);
  }
  return FillTypes(node, parts);
}

Status SchemaCompiler::FillChoice(int32_t node, const SchemaParts& parts, size_t part,
                                  const char* keyword, SchemaPart::Done done) {
  const Schema& schema = *parts[part].schema;
  for (size_t i = 0; i < schema[keyword].size(); ++i) {
    SchemaParts branch = parts;
    branch[part].done |= done;
    branch.push_back({document_.Inside(schema, keyword, i), 0});
    G3N_ASSIGN_OR_RETURN(const int32_t choice, NodeOf(std::move(branch)));
    program_.nodes[static_cast<size_t>(node)].parts.push_back(choice);
  }
  return OkStatus();
}

Status SchemaCompiler::FillTypes(int32_t node, const SchemaParts& parts) {
  G3N_ASSIGN_OR_RETURN(const unsigned types, TypesOf(parts));
  for (const SchemaPart& part : parts) {
    if (part.schema->contains("enum") || part.schema->contains("const"))
      return FillValues(node, parts, types);
  }
  std::vector<int32_t> choices;
  const auto add = [&](Result<std::optional<int32_t>> choice) {
    if (choice.ok() && *choice) choices.push_back(**choice);
    return choice.status();
  };
  if (types & kObject) G3N_RETURN_IF_ERROR(add(Object(parts)));
  if (types & kArray) G3N_RETURN_IF_ERROR(add(Array(parts)));
  if (types & kString) G3N_RETURN_IF_ERROR(add(String(parts)));
  if (types & (kInteger | kFraction))
    G3N_RETURN_IF_ERROR(add(Number(parts, (types & kFraction) == 0)));
  std::vector<Regex> literals;
  if (types & kBoolean) literals = {Regex::Text("true"), Regex::Text("false")};
  if (types & kNull) literals.push_back(Regex::Text("null"));
  if (!literals.empty()) {
    G3N_ASSIGN_OR_RETURN(const int32_t choice, TextsNode(Regex::Choice(std::move(literals))));
    choices.push_back(choice);
  }
  program_.nodes[static_cast<size_t>(node)].parts = std::move(choices);
  return OkStatus();
}

Result<unsigned> SchemaCompiler::TypesNamed(const Schema& schema) {
  if (!schema.contains("type")) return kAll;
  static const std::pair<const char*, unsigned> kNames[] = {
      {"null", kNull},       {"boolean", kBoolean},
      {"integer", kInteger}, {"number", kInteger | kFraction},
      {"string", kString},   {"object", kObject},
      {"array", kArray}};
  unsigned types = 0;
  const Schema& type = schema["type"];
  for (size_t i = 0; i < (type.is_array() ? type.size() : 1); ++i) {
    const Schema& name = type.is_array() ? type[i] : type;
    const auto it = std::find_if(std::begin(kNames), std::end(kNames),
                                 [&](const auto& known) { return name == known.first; });
    if (it == std::end(kNames)) {
      return Error(StatusCode::kInvalidArgument,
                   "JSON Schema: {}/type: expected the name of a type, found {}",
                   document_.Path(schema), DumpOrderedJson(name));
    }
    types |= it->second;
  }
  if (schema.contains("nullable") && schema["nullable"] == true) types |= kNull;  // OpenAPI's
  return types;
}

Result<unsigned> SchemaCompiler::TypesOf(const SchemaParts& parts) {
  static const std::pair<const char*, unsigned> kHints[] = {
      {"properties", kObject},
      {"required", kObject},
      {"additionalProperties", kObject},
      {"items", kArray},
      {"prefixItems", kArray},
      {"minItems", kArray},
      {"maxItems", kArray},
      {"pattern", kString},
      {"format", kString},
      {"minLength", kString},
      {"maxLength", kString},
      {"minimum", kInteger | kFraction},
      {"maximum", kInteger | kFraction},
      {"exclusiveMinimum", kInteger | kFraction},
      {"exclusiveMaximum", kInteger | kFraction}};
  unsigned types = kAll, hints = 0;
  bool named = false;
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    named = named || schema.contains("type") || schema.contains("enum") || schema.contains("const");
    G3N_ASSIGN_OR_RETURN(const unsigned those, TypesNamed(schema));
    types &= those;
    for (const auto& [keyword, hint] : kHints) {
      if (schema.contains(keyword)) hints |= hint;
    }
  }
  // Whoever writes "properties" without a type means an object.
  return named || hints == 0 ? types : hints;
}

}  // namespace gemma3n
