// JSON Schema's `format`s of strings as regular expressions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gemma3n {

// The pattern of date, time, date-time (RFC 3339), duration, email, hostname, ipv4, ipv6, uri or
// uuid; nothing for other formats, which are annotations.
std::optional<std::string> FormatPattern(std::string_view format);

}  // namespace gemma3n
