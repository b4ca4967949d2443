// Template source to tokens, as Jinja2 cuts it with trim_blocks and lstrip_blocks on (as
// transformers sets them).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n::jinja {

struct Token {
  enum class Kind {
    kData,
    kPrintBegin,
    kPrintEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string text;  // data, a name, a string's value, a number's digits without '_', an operator
  int line = 1;

  bool Is(std::string_view op) const { return kind == Kind::kOperator && text == op; }
  bool IsName(std::string_view name) const { return kind == Kind::kName && text == name; }
};

// Tokens of the template, kEnd last. White space control, comments, {% raw %} and string escapes
// are done with. Errors: kCorruptFile with "line N: ...", kUnsupported for \N{...}.
Result<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace gemma3n::jinja
