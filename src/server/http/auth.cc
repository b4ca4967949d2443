#include "server/http/auth.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace gemma3n::server {
namespace {

constexpr size_t kLeastLength = 8, kMostLength = 512;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Looks at every byte of `given`, wherever the first difference is.
bool SameSecret(std::string_view given, std::string_view secret) {
  unsigned different = given.size() != secret.size();
  for (size_t i = 0; i < given.size(); ++i) {
    const char other = secret[i % secret.size()];
    different |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other);
  }
  return different == 0;
}

bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// What the request shows, or nothing.
std::string_view GivenKey(const HttpRequest& request) {
  const std::string_view header = request.Header("authorization");
  constexpr std::string_view kBearer = "bearer ";
  const bool bearer =
      header.size() > kBearer.size() &&
      std::equal(kBearer.begin(), kBearer.end(), header.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
      });
  return Trim(bearer ? header.substr(kBearer.size()) : request.Header("x-api-key"));
}

}  // namespace

Result<ApiKeys> ApiKeys::Parse(std::string_view text, std::string_view source) {
  ApiKeys keys;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    const std::string_view line = Trim(whole);
    if (line.empty() || line.front() == '#') continue;
    Key key;
    const size_t colon = line.find(':');
    key.secret = Trim(line.substr(colon == std::string_view::npos ? 0 : colon + 1));
    key.name = colon == std::string_view::npos ? fmt::format("key{}", keys.keys_.size() + 1)
                                               : std::string(Trim(line.substr(0, colon)));
    if (key.secret.size() < kLeastLength || key.secret.size() > kMostLength ||
        !Printable(key.secret) || key.name.empty()) {
      return Error(
          StatusCode::kInvalidArgument,
          "{}: line {}: expected \"name: key\" with a key of {} to {} printable characters "
          "without spaces",
          source, number, kLeastLength, kMostLength);
    }
    const bool twice = std::any_of(keys.keys_.begin(), keys.keys_.end(),
                                   [&](const Key& k) { return k.secret == key.secret; });
    if (twice) {
      return Error(StatusCode::kInvalidArgument, "{}: line {}: the same key stands above", source,
                   number);
    }
    keys.keys_.push_back(std::move(key));
  }
  if (keys.empty()) {
    return Error(StatusCode::kInvalidArgument, "{}: expected a key a line, found none", source);
  }
  return keys;
}

Result<ApiKeys> ApiKeys::Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kIo,
                 "{}: cannot open it ({})", path, std::strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return Error(StatusCode::kIo, "{}: cannot read it", path);
  return Parse(text, path);
}

std::optional<std::string> ApiKeys::Find(const HttpRequest& request) const {
  const std::string_view given = GivenKey(request);
  if (given.empty() || given.size() > kMostLength) return std::nullopt;
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (SameSecret(given, key.secret)) found = &key;
  }
  if (found == nullptr) return std::nullopt;
  return found->name;
}

}  // namespace gemma3n::server
