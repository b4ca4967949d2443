#include "media/source.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/file.h"

namespace gemma3n {
namespace {

constexpr char kUrlName[] = "data: URL";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The six bits of a character of base64 (of the URL-safe alphabet too), -1 for others.
int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

// Takes one character off `text`, percent-decoded.
Result<char> TakeCharacter(std::string_view& text) {
  const char c = text.front();
  if (c != '%') {
    text.remove_prefix(1);
    return c;
  }
  const int high = text.size() > 2 ? HexDigit(text[1]) : -1;
  const int low = text.size() > 2 ? HexDigit(text[2]) : -1;
  if (high < 0 || low < 0) {
    return Error(StatusCode::kInvalidArgument, "{}: '{}', expected % and two hexadecimal digits",
                 kUrlName, text.substr(0, 3));
  }
  text.remove_prefix(3);
  return static_cast<char>(high << 4 | low);
}

// Appends what base64 characters spell, one at a time.
class Base64Decoder {
 public:
  explicit Base64Decoder(std::vector<std::byte>& bytes) : bytes_(bytes) {}

  Status Push(char c) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return OkStatus();
    if (c == '=') {
      ++padding_;
      return OkStatus();
    }
    const int digit = Base64Digit(c);
    if (digit < 0 || padding_ > 0) {
      return Error(StatusCode::kInvalidArgument, "{}: '{}' within base64, after {} bytes", kUrlName,
                   c, bytes_.size());
    }
    pending_ = (pending_ << 6 | static_cast<uint32_t>(digit)) & 0xffffff;
    if (++digits_ % 4 != 1) {
      const size_t bits = (8 - digits_ % 4 * 2) % 8;  // not yet part of a byte
      bytes_.push_back(static_cast<std::byte>(pending_ >> bits & 0xff));
    }
    return OkStatus();
  }

  Status Finish() const {
    if (digits_ % 4 != 1 && padding_ <= 2) return OkStatus();
    return Error(StatusCode::kInvalidArgument, "{}: base64 of {} digits and {} of padding",
                 kUrlName, digits_, padding_);
  }

 private:
  std::vector<std::byte>& bytes_;
  uint32_t pending_ = 0;
  size_t digits_ = 0, padding_ = 0;
};

// The bytes of the part behind the comma.
Result<std::vector<std::byte>> Decode(std::string_view data, bool base64, size_t max_bytes) {
  std::vector<std::byte> bytes;
  bytes.reserve(std::min(base64 ? data.size() / 4 * 3 + 3 : data.size(), max_bytes));
  Base64Decoder decoder(bytes);
  while (!data.empty()) {
    G3N_ASSIGN_OR_RETURN(const char c, TakeCharacter(data));
    if (base64) {
      G3N_RETURN_IF_ERROR(decoder.Push(c));
    } else {
      bytes.push_back(static_cast<std::byte>(c));
    }
    if (bytes.size() > max_bytes) {
      return Error(StatusCode::kResourceExhausted, "{}: larger than the limit of {} bytes",
                   kUrlName, max_bytes);
    }
  }
  if (base64) G3N_RETURN_IF_ERROR(decoder.Finish());
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> ReadDataUrl(std::string_view url, size_t max_bytes) {
  const size_t comma = url.find(',');
  if (comma == url.npos) {
    return Error(StatusCode::kInvalidArgument, "{}: no comma before its data", kUrlName);
  }
  const std::string_view header = url.substr(0, comma);
  const bool base64 =
      EqualsIgnoringCase(header.substr(std::min(header.rfind(';'), header.size())), ";base64");
  return Decode(url.substr(comma + 1), base64, max_bytes);
}

Result<std::vector<std::byte>> DecodeBase64(std::string_view text, size_t max_bytes) {
  return Decode(text, /*base64=*/true, max_bytes);
}

Result<std::vector<std::byte>> ReadSource(const std::string& source, size_t max_bytes) {
  if (IsDataUrl(source)) return ReadDataUrl(source, max_bytes);
  std::error_code error;
  const auto size = std::filesystem::file_size(source, error);
  if (!error && size > max_bytes) {
    return Error(StatusCode::kResourceExhausted, "{}: {} bytes, the limit is {}", source, size,
                 max_bytes);
  }
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(source, max_bytes));
  const auto bytes = std::as_bytes(std::span(text));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

bool IsDataUrl(std::string_view source) { return EqualsIgnoringCase(source.substr(0, 5), "data:"); }

std::string SourceName(const std::string& source) { return IsDataUrl(source) ? kUrlName : source; }

}  // namespace gemma3n
