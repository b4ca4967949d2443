#include "formats/json.h"

#include <algorithm>
#include <cstdlib>

namespace gemma3n {
namespace {

// Deepest nesting of brackets outside strings.
int NestingDepth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

}  // namespace

Result<nlohmann::json> ParseJson(std::string_view text, const std::string& name, int max_depth) {
  if (const int depth = NestingDepth(text); depth > max_depth) {
    return Error(StatusCode::kCorruptFile, "{}: JSON nested {} deep, expected at most {}", name,
                 depth, max_depth);
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    const size_t at = std::min(e.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + at, '\n');
    return Error(StatusCode::kCorruptFile, "{}: not valid JSON at line {} (byte {} of {})", name,
                 line, at, text.size());
  } catch (const std::exception& e) {  // a number out of range
    return Error(StatusCode::kCorruptFile, "{}: not valid JSON ({})", name, e.what());
  }
}

std::string DumpJson(const nlohmann::json& document, int indent) {
  return document.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

double ShortestDecimal(float value) {
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

}  // namespace gemma3n
