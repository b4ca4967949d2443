// Escapes in string literals.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n::jinja {

// A literal's value, as Python's "unicode-escape" codec reads it: \n \t \xhh \uhhhh \Uhhhhhhhh
// \ooo; an unknown escape keeps its backslash. Errors: kCorruptFile, kUnsupported for \N{...}.
Result<std::string> Unescape(std::string_view literal);

}  // namespace gemma3n::jinja
