// Values without parts: enum and const, literals, numbers, strings.
#include <algorithm>

#include "constraint/schema_compiler.h"
#include "constraint/string_formats.h"

namespace gemma3n {
namespace {

// The values that a schema lists; empty and `any` when it lists none.
std::vector<Schema> ListedBy(const Schema& schema, bool& any) {
  any = false;
  std::vector<Schema> values;
  if (schema.contains("const")) {
    values.push_back(schema["const"]);
    if (!schema.contains("enum")) return values;
    const Schema& list = schema["enum"];
    if (std::find(list.begin(), list.end(), values.front()) == list.end()) values.clear();
    return values;
  }
  if (schema.contains("enum")) return schema["enum"].get<std::vector<Schema>>();
  any = true;
  return values;
}

int64_t Characters(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

Status SchemaCompiler::FillValues(int32_t node, const SchemaParts& parts, unsigned types) {
  std::optional<std::vector<Schema>> values;
  bool structured = false;  // keywords that a value with parts would have to be checked against
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (schema.contains("enum") && !schema["enum"].is_array())
      return document_.Malformed(schema, "enum", "a list of values");
    for (const char* keyword :
         {"properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
          "maxItems", "minProperties", "maxProperties", "propertyNames"})
      structured = structured || schema.contains(keyword);
    bool any = false;
    std::vector<Schema> listed = ListedBy(schema, any);
    if (any) continue;
    if (values) {
      std::erase_if(*values, [&](const Schema& value) {
        return std::find(listed.begin(), listed.end(), value) == listed.end();
      });
    } else {
      values = std::move(listed);
    }
  }
  int32_t least = 0, most = Program::kNoLimit;
  G3N_RETURN_IF_ERROR(Limits(parts, "minLength", "maxLength", least, most));
  G3N_ASSIGN_OR_RETURN(const std::optional<Dfa> strings, StringDfa(parts, least, most));
  G3N_ASSIGN_OR_RETURN(const Dfa numbers, NumberDfa(parts, (types & kFraction) == 0));
  bool bounded = false;
  for (const SchemaPart& part : parts) {
    for (const char* keyword : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
      bounded = bounded || part.schema->contains(keyword);
  }
  std::vector<Regex> texts;
  std::vector<int32_t> choices;
  for (const Schema& value : *values) {
    const unsigned type = value.is_null()             ? kNull
                          : value.is_boolean()        ? kBoolean
                          : value.is_number_integer() ? kInteger
                          : value.is_number()         ? kFraction
                          : value.is_string()         ? kString
                          : value.is_object()         ? kObject
                                                      : kArray;
    if ((types & type) == 0) continue;
    const std::string text = DumpOrderedJson(value);
    if (type == kString && strings && !strings->Accepts(text)) continue;
    if (type == kString) {
      const int64_t characters = Characters(value.get_ref<const std::string&>());
      if (characters < least || characters > most) continue;
    }
    if (bounded && value.is_number() && !numbers.Accepts(text)) continue;
    if ((type & (kObject | kArray)) == 0) {
      texts.push_back(Regex::Text(text));
      continue;
    }
    if (structured) {
      return document_.Unsupported(*parts.front().schema, "enum",
                                   "an object or a list beside keywords for its parts");
    }
    G3N_ASSIGN_OR_RETURN(const int32_t choice, ConstantNode(value));
    choices.push_back(choice);
  }
  if (!texts.empty()) {
    G3N_ASSIGN_OR_RETURN(const int32_t choice, TextsNode(Regex::Choice(std::move(texts))));
    choices.push_back(choice);
  }
  program_.nodes[static_cast<size_t>(node)].parts = std::move(choices);
  return OkStatus();
}

// Objects and lists are followed part by part, so that white space may stand between them.
Result<int32_t> SchemaCompiler::ConstantNode(const Schema& value) {
  if (!value.is_structured()) return TextsNode(Regex::Text(DumpOrderedJson(value)));
  Program::Node node;
  node.kind = value.is_object() ? Program::Node::Kind::kObject : Program::Node::Kind::kArray;
  for (const auto& [name, member] : value.items()) {
    G3N_ASSIGN_OR_RETURN(const int32_t part, ConstantNode(member));
    if (value.is_object())
      node.properties.push_back({name, part, true});
    else
      node.parts.push_back(part);
  }
  if (value.is_array()) node.least = node.most = static_cast<int32_t>(value.size());
  return AddNode(std::move(node));
}

Result<int32_t> SchemaCompiler::TextsNode(const Regex& regex) {
  G3N_ASSIGN_OR_RETURN(const Nfa nfa, Nfa::Whole(regex));
  G3N_ASSIGN_OR_RETURN(Dfa dfa, Dfa::FromNfa(nfa));
  G3N_ASSIGN_OR_RETURN(const auto node, TextNode(std::move(dfa)));
  if (!node) return Error(StatusCode::kInternal, "a pattern of constants that matches nothing");
  return *node;
}

Result<std::optional<int32_t>> SchemaCompiler::TextNode(Dfa dfa) {
  if (dfa.empty()) return std::optional<int32_t>();
  Program::Node node;
  node.kind = Program::Node::Kind::kText;
  node.dfa = static_cast<int32_t>(program_.dfas.size());
  program_.dfas.push_back(std::move(dfa));
  G3N_ASSIGN_OR_RETURN(const int32_t id, AddNode(std::move(node)));
  return std::optional<int32_t>(id);
}

Result<Dfa> SchemaCompiler::NumberDfa(const SchemaParts& parts, bool integer) {
  NumberBounds bounds;
  bounds.integer = integer;
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    for (const char* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
      if (!schema.contains(keyword)) continue;
      if (!schema[keyword].is_number()) return document_.Malformed(schema, keyword, "a number");
      const std::string_view name = keyword;
      const bool lower = name.ends_with("inimum");
      const NumberBound bound{schema[keyword].dump(), schema[keyword].get<double>(),
                              name.starts_with("exclusive")};
      std::optional<NumberBound>& tightest = lower ? bounds.least : bounds.most;
      const double sign = lower ? 1 : -1;
      if (!tightest || sign * bound.value > sign * tightest->value ||
          (bound.value == tightest->value && bound.exclusive))
        tightest = bound;
    }
  }
  return NumberTexts(bounds);
}

Result<std::optional<int32_t>> SchemaCompiler::Number(const SchemaParts& parts, bool integer) {
  G3N_ASSIGN_OR_RETURN(Dfa dfa, NumberDfa(parts, integer));
  return TextNode(std::move(dfa));
}

Result<std::optional<int32_t>> SchemaCompiler::Count(const Schema& schema, const char* keyword) {
  if (!schema.contains(keyword)) return std::optional<int32_t>();
  const Schema& value = schema[keyword];
  const double count = value.is_number() ? value.get<double>() : -1;
  if (!(count >= 0) || count != static_cast<double>(static_cast<int64_t>(std::min(count, 1e15))))
    return document_.Malformed(schema, keyword, "a whole number of at least 0");
  return std::optional<int32_t>(static_cast<int32_t>(std::min(count, 1e9)));
}

Status SchemaCompiler::Limits(const SchemaParts& parts, const char* least_keyword,
                              const char* most_keyword, int32_t& least, int32_t& most) {
  for (const SchemaPart& part : parts) {
    G3N_ASSIGN_OR_RETURN(const auto low, Count(*part.schema, least_keyword));
    G3N_ASSIGN_OR_RETURN(const auto high, Count(*part.schema, most_keyword));
    least = std::max(least, low.value_or(0));
    most = std::min(most, high.value_or(Program::kNoLimit));
  }
  return OkStatus();
}

// Lengths beside a pattern become patterns themselves; the tightest of all stands for each.
Result<std::optional<Dfa>> SchemaCompiler::StringDfa(const SchemaParts& parts, int32_t least,
                                                     int32_t most) {
  std::optional<Dfa> dfa;
  const auto narrow = [&](const Schema& schema, const char* keyword,
                          const std::string& pattern) -> Status {
    const auto build = [&]() -> Status {
      G3N_ASSIGN_OR_RETURN(const Regex regex, ParseRegex(pattern));
      G3N_ASSIGN_OR_RETURN(const Nfa characters, Nfa::Search(regex));
      G3N_ASSIGN_OR_RETURN(const Nfa bytes, characters.ToJsonStrings());
      G3N_ASSIGN_OR_RETURN(Dfa next, Dfa::FromNfa(bytes));
      if (!dfa) {
        dfa = std::move(next);
        return OkStatus();
      }
      G3N_ASSIGN_OR_RETURN(dfa, Dfa::Both(*dfa, next));
      return OkStatus();
    };
    return build().WithContext("JSON Schema: " + document_.Path(schema) + "/" + keyword);
  };
  for (const SchemaPart& part : parts) {
    const Schema& schema = *part.schema;
    if (schema.contains("pattern")) {
      if (!schema["pattern"].is_string()) return document_.Malformed(schema, "pattern", "a string");
      G3N_RETURN_IF_ERROR(narrow(schema, "pattern", schema["pattern"].get<std::string>()));
    }
    if (schema.contains("format") && schema["format"].is_string()) {
      const auto pattern = FormatPattern(schema["format"].get<std::string>());
      if (pattern) G3N_RETURN_IF_ERROR(narrow(schema, "format", *pattern));
    }
  }
  for (const SchemaPart& part : parts) {
    for (const char* keyword : {"minLength", "maxLength"}) {
      if (!dfa || !part.schema->contains(keyword)) continue;
      const std::string count = std::to_string(keyword[1] == 'i' ? least : most);
      const std::string range = keyword[1] == 'i' ? count + "," : "0," + count;
      G3N_RETURN_IF_ERROR(narrow(*part.schema, keyword, R"(^[\s\S]{)" + range + "}$"));
    }
  }
  return dfa;
}

Result<std::optional<int32_t>> SchemaCompiler::String(const SchemaParts& parts) {
  Program::Node node;
  node.kind = Program::Node::Kind::kString;
  G3N_RETURN_IF_ERROR(Limits(parts, "minLength", "maxLength", node.least, node.most));
  G3N_ASSIGN_OR_RETURN(std::optional<Dfa> dfa, StringDfa(parts, node.least, node.most));
  if (dfa) return TextNode(std::move(*dfa));
  if (node.most < node.least) return std::optional<int32_t>();
  G3N_ASSIGN_OR_RETURN(const int32_t id, AddNode(std::move(node)));
  return std::optional<int32_t>(id);
}

}  // namespace gemma3n
