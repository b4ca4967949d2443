#include "constraint/string_formats.h"

namespace gemma3n {
namespace {

// Months by their length; 29 February in leap years only, and no year 0, which Python's dates and
// many others do not know.
std::string Date() {
  const std::string year = R"((?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9]))";
  const std::string leap =
      R"((?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00))";
  const std::string day28 = R"((?:0[1-9]|1\d|2[0-8]))";
  return "(?:" + year + "-(?:(?:0[13578]|1[02])-(?:" + day28 +
         "|29|30|31)|(?:0[469]|11)-(?:" + day28 + "|29|30)|02-" + day28 + ")|" + leap + "-02-29)";
}

constexpr const char* kTime =
    R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))";

constexpr const char* kDuration =
    R"(P(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)"
    R"(|T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)))";

constexpr const char* kLabel = R"([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)";

std::string Hostname() { return std::string(kLabel) + R"((?:\.)" + kLabel + ")*"; }

std::string Email() {
  const std::string word = R"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)";
  return word + R"((?:\.)" + word + ")*@" + kLabel + R"((?:\.)" + kLabel + ")+";
}

std::string Ipv4() {
  const std::string octet = R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
  return octet + R"((?:\.)" + octet + "){3}";
}

// Eight groups, or fewer with one "::" for those that are zero.
std::string Ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  std::string all = "(?:(?:" + group + ":){7}" + group;
  for (int before = 0; before <= 7; ++before) {
    all += "|";
    if (before > 0) all += "(?:" + group + ":){" + std::to_string(before - 1) + "}" + group;
    all += "::";
    if (const int after = 7 - before; after > 0) {
      all += "(?:" + group + "(?::" + group + "){0," + std::to_string(after - 1) + "})?";
    }
  }
  return all + ")";
}

constexpr const char* kUri =
    R"([A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)";

constexpr const char* kUuid =
    "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";

}  // namespace

std::optional<std::string> FormatPattern(std::string_view format) {
  const auto whole = [](const std::string& pattern) {
    return std::string("^(?:").append(pattern).append(")$");
  };
  if (format == "date") return whole(Date());
  if (format == "time") return whole(kTime);
  if (format == "date-time") return whole(Date() + "T" + kTime);
  if (format == "duration") return whole(kDuration);
  if (format == "email") return whole(Email());
  if (format == "hostname") return whole(Hostname());
  if (format == "ipv4") return whole(Ipv4());
  if (format == "ipv6") return whole(Ipv6());
  if (format == "uri") return whole(kUri);
  if (format == "uuid") return whole(kUuid);
  return std::nullopt;
}

}  // namespace gemma3n
