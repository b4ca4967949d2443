// The bytes that spell characters inside a JSON string.
#pragma once

#include <vector>

#include "constraint/regex.h"

namespace gemma3n {

// Every way to spell the code points of a range: sequences of byte ranges. Surrogates are left out;
// quotes, backslashes and control characters are escaped, all others stand as UTF-8.
std::vector<std::vector<SymbolRange>> JsonStringBytes(SymbolRange codes);

}  // namespace gemma3n
