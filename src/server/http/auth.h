// API keys: who may ask.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

class ApiKeys {
 public:
  // No keys: everybody may ask.
  ApiKeys() = default;

  // One key a line, "name: key" or just the key (named key1, key2, ...); # begins a comment line.
  // Errors: kInvalidArgument with `source` and the line (a key with spaces or shorter than 8
  // characters, a key twice, none at all).
  static Result<ApiKeys> Parse(std::string_view text, std::string_view source);
  // Errors: as Parse's, kNotFound, kIo.
  static Result<ApiKeys> Load(const std::string& path);

  bool empty() const { return keys_.empty(); }

  // The name of the key in "authorization: Bearer KEY" or "x-api-key: KEY". Takes the same time
  // for every wrong key of a length.
  std::optional<std::string> Find(const HttpRequest& request) const;

 private:
  struct Key {
    std::string name, secret;
  };
  std::vector<Key> keys_;
};

}  // namespace gemma3n::server
