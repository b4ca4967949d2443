// Names for answers, calls and requests.
#pragma once

#include <string>

namespace gemma3n::server {

// prefix and 24 random letters and digits.
std::string RandomId(const char* prefix);

}  // namespace gemma3n::server
