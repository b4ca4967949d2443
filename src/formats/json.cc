#include "formats/json.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace gemma3n {
namespace {

// What a text would become, if it is JSON.
struct Shape {
  int depth = 0;      // deepest nesting of brackets
  size_t values = 1;  // in all, at most
  size_t keys = 0;    // of the object that has the most
};

// Looks at nothing but brackets, commas and colons outside strings.
Shape ShapeOf(std::string_view text) {
  Shape shape;
  constexpr int kWatched = 256;  // nesting below that is refused by everyone
  std::vector<size_t> keys;      // of the objects and arrays around, the outermost of them
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == ',' || c == '{' || c == '[') ++shape.values;
    if (c == '{' || c == '[') {
      shape.depth = std::max(shape.depth, ++depth);
      if (depth == std::ssize(keys) + 1 && depth <= kWatched) keys.push_back(0);
    }
    if (c == ':' && !keys.empty()) shape.keys = std::max(shape.keys, ++keys.back());
    if ((c == '}' || c == ']') && --depth < std::ssize(keys) && !keys.empty()) keys.pop_back();
  }
  return shape;
}

// The text as one of nlohmann's kinds of document.
template <typename Json>
Result<Json> Parse(std::string_view text, const std::string& name) {
  try {
    return Json::parse(text);
  } catch (const typename Json::parse_error& e) {
    const size_t at = std::min(e.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + at, '\n');
    return Error(StatusCode::kCorruptFile, "{}: not valid JSON at line {} (byte {} of {})", name,
                 line, at, text.size());
  } catch (const std::exception& e) {  // a number out of range
    return Error(StatusCode::kCorruptFile, "{}: not valid JSON ({})", name, e.what());
  }
}

Status TooDeep(const std::string& name, int depth, int limit) {
  return Error(StatusCode::kCorruptFile, "{}: JSON nested {} deep, expected at most {}", name,
               depth, limit);
}

}  // namespace

Result<nlohmann::json> ParseJson(std::string_view text, const std::string& name, int max_depth) {
  if (const int depth = ShapeOf(text).depth; depth > max_depth) {
    return TooDeep(name, depth, max_depth);
  }
  return Parse<nlohmann::json>(text, name);
}

Result<nlohmann::ordered_json> ParseOrderedJson(std::string_view text, const std::string& name,
                                                const JsonLimits& limits) {
  const Shape shape = ShapeOf(text);
  if (shape.depth > limits.depth) return TooDeep(name, shape.depth, limits.depth);
  if (shape.values > limits.values) {
    return Error(StatusCode::kCorruptFile, "{}: JSON of {} values, expected at most {}", name,
                 shape.values, limits.values);
  }
  if (shape.keys > limits.keys) {
    return Error(StatusCode::kCorruptFile, "{}: a JSON object of {} keys, expected at most {}",
                 name, shape.keys, limits.keys);
  }
  return Parse<nlohmann::ordered_json>(text, name);
}

std::string DumpJson(const nlohmann::json& document, int indent) {
  return document.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string DumpOrderedJson(const nlohmann::ordered_json& document, int indent) {
  return document.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

double ShortestDecimal(float value) {
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

}  // namespace gemma3n
