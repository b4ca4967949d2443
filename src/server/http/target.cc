#include "server/http/target.h"

#include <algorithm>
#include <utility>

namespace gemma3n::server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "%41" becomes "A"; in a query "+" is a space.
Result<std::string> Decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
      if (low < 0) {
        return Error(StatusCode::kInvalidArgument,
                     "the request's target: expected two hex digits after each %, found \"{}\"",
                     text.substr(i, 3));
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  const bool control =
      std::any_of(out.begin(), out.end(), [](unsigned char c) { return c < 0x20; });
  if (control) {
    return Error(StatusCode::kInvalidArgument, "the request's target holds a control character");
  }
  return out;
}

Result<std::map<std::string, std::string>> ParseQuery(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    G3N_ASSIGN_OR_RETURN(std::string name, Decode(pair.substr(0, equals), true));
    const std::string_view rest = pair.substr(std::min(pair.size(), equals + 1));
    G3N_ASSIGN_OR_RETURN(std::string value, Decode(rest, true));
    query[std::move(name)] = std::move(value);
  }
  return query;
}

}  // namespace

Result<Target> ParseTarget(std::string_view target) {
  if (target == "*") return Target{"*", {}};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t authority = target.find_first_of("/?");
    target = authority == std::string_view::npos ? "/" : target.substr(authority);
    if (target.front() == '?') break;
  }
  if (!target.starts_with('/')) {
    return Error(StatusCode::kInvalidArgument,
                 "the request's target: expected a path such as /v1/models, found \"{}\"", target);
  }
  target = target.substr(0, target.find('#'));
  const size_t question = std::min(target.find('?'), target.size());
  Target out;
  G3N_ASSIGN_OR_RETURN(out.path, Decode(target.substr(0, question), false));
  G3N_ASSIGN_OR_RETURN(out.query, ParseQuery(target.substr(std::min(target.size(), question + 1))));
  return out;
}

}  // namespace gemma3n::server
