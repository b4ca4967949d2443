// str.format and the % operator of strings, as far as templates use them.
#pragma once

#include <string>
#include <string_view>

#include "chat/jinja/interpreter.h"

namespace gemma3n::jinja {

// 'text'.format(...): {} {0} {name}, {{ and }}. Errors: kUnsupported for format specifications and
// lookups.
Result<Value> BraceFormat(std::string_view format, const CallArguments& arguments, Budget& budget);

}  // namespace gemma3n::jinja
