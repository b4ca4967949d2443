#include "server/api/utc_time.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

namespace gemma3n::server {
namespace {

constexpr int64_t kNanoseconds = 1000000000;

// Without the zone.
std::string Written(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc = {};
  ::gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string UtcTime(int64_t seconds) { return Written(seconds) + "Z"; }

std::string UtcTimeOfNanoseconds(int64_t nanoseconds) {
  return fmt::format("{}.{:09}Z", Written(nanoseconds / kNanoseconds), nanoseconds % kNanoseconds);
}

std::string UtcNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return UtcTimeOfNanoseconds(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace gemma3n::server
