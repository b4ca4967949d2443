#include "server/api/random_id.h"

#include <random>
#include <string_view>

namespace gemma3n::server {

std::string RandomId(const char* prefix) {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::random_device device;
  std::uniform_int_distribution<size_t> pick(0, kLetters.size() - 1);
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += kLetters[pick(device)];
  return id;
}

}  // namespace gemma3n::server
