#include "cli/text_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/interrupt.h"

namespace gemma3n::cli {
namespace {

Result<std::string> ReadStdin() {
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR && !Interrupted()) continue;
    if (n < 0) {
      return Error(StatusCode::kIo, "standard input: cannot read it ({})", std::strerror(errno));
    }
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(n));
  }
}

// Length of the UTF-8 character at the front of a non-empty text; 0 when it is not one (overlong,
// surrogate, cut).
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const size_t length = lead < 0x80   ? 1
                        : lead < 0xC2 ? 0
                        : lead < 0xE0 ? 2
                        : lead < 0xF0 ? 3
                        : lead < 0xF5 ? 4
                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

Status CheckUtf8(std::string_view text, const std::string& what) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterLength(text.substr(at));
    if (length == 0) {
      return Error(StatusCode::kInvalidArgument,
                   "{}: expected UTF-8 text, found the byte 0x{:02x} at offset {}", what,
                   static_cast<unsigned char>(text[at]), at);
    }
    at += length;
  }
  return OkStatus();
}

Result<std::string> ReadFileOrStdin(const std::string& path) {
  return path == "-" ? ReadStdin() : ReadFile(path);
}

Result<std::string> ReadTextArgument(const std::string& argument, const std::string& what) {
  std::string text = argument, source = what;
  if (argument == "-" || (argument.starts_with("@") && !argument.starts_with("@@"))) {
    const std::string path = argument == "-" ? "-" : argument.substr(1);
    if (path.empty())
      return Error(StatusCode::kInvalidArgument, "{}: expected a file name after @", what);
    source = path == "-" ? what + " from standard input" : path;
    G3N_ASSIGN_OR_RETURN(text, ReadFileOrStdin(path));
  } else if (argument.starts_with("@@")) {
    text.erase(0, 1);
  }
  if (text.empty())
    return Error(StatusCode::kInvalidArgument, "{}: expected some text, found none", source);
  G3N_RETURN_IF_ERROR(CheckUtf8(text, source));
  return text;
}

Result<std::vector<int32_t>> ParseTokenArray(std::string_view json, const std::string& what) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_array()) {
    return Error(StatusCode::kInvalidArgument, "{}: expected one JSON array of token ids, found {}",
                 what, parsed.is_discarded() ? "text that is not JSON" : parsed.type_name());
  }
  std::vector<int32_t> ids;
  ids.reserve(parsed.size());
  for (const auto& element : parsed) {
    const bool fits = element.is_number_integer() && element >= 0 &&
                      element <= std::numeric_limits<int32_t>::max();
    if (!fits) {
      return Error(
          StatusCode::kInvalidArgument, "{}: element {}: expected a token id, found {}", what,
          ids.size(),
          element.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 40));
    }
    ids.push_back(element.get<int32_t>());
  }
  return ids;
}

Status CheckOutputPath(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return Error(StatusCode::kInvalidArgument, "{}: expected the name of a file to write, found {}",
                 path, S_ISDIR(info.st_mode) ? "a directory" : "a device or pipe");
  }
  return OkStatus();
}

}  // namespace gemma3n::cli
