#include "constraint/schema_parts.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace gemma3n {
namespace {

// Keywords that would change what is allowed, and that a document cannot be held to byte by byte
// (or not yet).
constexpr const char* kUnsupported[] = {"not",
                                        "if",
                                        "then",
                                        "else",
                                        "dependencies",
                                        "contains",
                                        "minContains",
                                        "maxContains",
                                        "multipleOf",
                                        "patternProperties",
                                        "dependentRequired",
                                        "$dynamicRef",
                                        "$recursiveRef",
                                        "dependentSchemas",
                                        "unevaluatedProperties",
                                        "unevaluatedItems",
                                        "additionalItems"};

// A JSON pointer's step: "~1" is "/", "~0" is "~", %XX a byte (references are URI fragments).
std::string Unescape(std::string_view step) {
  std::string out;
  const auto hex = [](char c) {
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
  };
  for (size_t i = 0; i < step.size(); ++i) {
    if (step[i] == '~' && i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1')) {
      out += step[++i] == '0' ? '~' : '/';
    } else if (step[i] == '%' && i + 2 < step.size() && hex(step[i + 1]) >= 0 &&
               hex(step[i + 2]) >= 0) {
      out += static_cast<char>(hex(step[i + 1]) * 16 + hex(step[i + 2]));
      i += 2;
    } else {
      out += step[i];
    }
  }
  return out;
}

}  // namespace

Status SchemaDocument::Malformed(const Schema& schema, const char* keyword, const char* expected) {
  return Error(StatusCode::kInvalidArgument, "JSON Schema: {}/{}: expected {}, found {}",
               Path(schema), keyword, expected, schema.at(keyword).type_name());
}

Status SchemaDocument::Unsupported(const Schema& schema, const std::string& keyword,
                                   const std::string& why) {
  return Error(StatusCode::kUnsupported, "JSON Schema: {}: \"{}\" is not supported{}{}",
               Path(schema), keyword, why.empty() ? "" : ": ", why);
}

Status SchemaDocument::Check(const Schema& schema) {
  bool& checked = checked_[&schema];
  if (checked) return OkStatus();
  checked = true;
  for (const char* keyword : kUnsupported) {
    if (schema.contains(keyword)) return Unsupported(schema, keyword);
  }
  if (schema.contains("uniqueItems") && schema["uniqueItems"] != false)
    return Unsupported(schema, "uniqueItems");
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (schema.contains(keyword) && (!schema[keyword].is_array() || schema[keyword].empty()))
      return Malformed(schema, keyword, "a list of schemas");
  }
  return OkStatus();
}

const Schema* SchemaDocument::Inside(const Schema& outer, const std::string& keyword) {
  const Schema* inner = &outer.at(keyword);
  paths_.try_emplace(inner, Path(outer) + "/" + keyword);
  return inner;
}

const Schema* SchemaDocument::Inside(const Schema& outer, const std::string& keyword,
                                     const std::string& name) {
  const Schema* inner = &outer.at(keyword).at(name);
  paths_.try_emplace(inner, Path(outer) + "/" + keyword + "/" + name);
  return inner;
}

const Schema* SchemaDocument::Inside(const Schema& outer, const std::string& keyword,
                                     size_t index) {
  const Schema* inner = &outer.at(keyword).at(index);
  paths_.try_emplace(inner, Path(outer) + "/" + keyword + "/" + std::to_string(index));
  return inner;
}

Result<const Schema*> SchemaDocument::Follow(const Schema& from, const std::string& reference) {
  if (!reference.starts_with('#') || (reference.size() > 1 && reference[1] != '/')) {
    return Unsupported(from, "$ref", "\"" + reference + "\" is no place in this document (#/...)");
  }
  const Schema* at = &root_;
  std::string_view rest = std::string_view(reference).substr(1);
  while (!rest.empty() && at != nullptr) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string step = Unescape(rest.substr(0, end));
    rest.remove_prefix(end);
    if (at->is_object() && at->contains(step)) {
      at = &at->at(step);
    } else if (at->is_array() && !step.empty() && step.size() < 6 &&
               step.find_first_not_of("0123456789") == std::string::npos &&
               std::stoul(step) < at->size()) {
      at = &at->at(std::stoul(step));
    } else {
      at = nullptr;
    }
  }
  if (at == nullptr) {
    return Error(StatusCode::kInvalidArgument, "JSON Schema: {}/$ref: \"{}\" leads nowhere",
                 Path(from), reference);
  }
  paths_.try_emplace(at, reference);
  return at;
}

Status SchemaDocument::Resolve(SchemaParts& parts, bool& never) {
  SchemaParts all = std::move(parts), kept;
  std::unordered_set<const Schema*> whole;
  for (size_t i = 0; i < all.size(); ++i) {
    const SchemaPart part = all[i];
    const Schema& schema = *part.schema;
    if (schema.is_boolean()) {
      never = never || !schema.get<bool>();
      continue;
    }
    if (!schema.is_object()) {
      return Error(StatusCode::kInvalidArgument,
                   "JSON Schema: {}: expected an object or a boolean, found {}", Path(schema),
                   schema.type_name());
    }
    const auto same = std::find_if(kept.begin(), kept.end(),
                                   [&](const SchemaPart& k) { return k.schema == part.schema; });
    const auto done = static_cast<uint8_t>(part.done | SchemaPart::kResolved);
    if (same != kept.end())
      same->done &= done;
    else
      kept.push_back({part.schema, done});
    G3N_RETURN_IF_ERROR(Check(schema));
    // Met as a whole, it must hold as a whole, and so must what it refers to, whatever of that was
    // dealt with before.
    if ((part.done & SchemaPart::kResolved) != 0 || !whole.insert(part.schema).second) continue;
    if (schema.contains("$ref")) {
      if (!schema["$ref"].is_string()) return Malformed(schema, "$ref", "a string");
      G3N_ASSIGN_OR_RETURN(const Schema* target, Follow(schema, schema["$ref"].get<std::string>()));
      all.push_back({target, 0});
    }
    if (schema.contains("allOf")) {
      for (size_t k = 0; k < schema["allOf"].size(); ++k)
        all.push_back({Inside(schema, "allOf", k), 0});
    }
  }
  parts = std::move(kept);
  return OkStatus();
}

}  // namespace gemma3n
