// Times as JSON has them (RFC 3339), in UTC.
#pragma once

#include <cstdint>
#include <string>

namespace gemma3n::server {

// "2026-01-31T12:34:56Z"; seconds since 1970.
std::string UtcTime(int64_t seconds);
// "2026-01-31T12:34:56.123456789Z"
std::string UtcTimeOfNanoseconds(int64_t nanoseconds);
std::string UtcNow();

}  // namespace gemma3n::server
