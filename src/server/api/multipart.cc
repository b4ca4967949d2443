#include "server/api/multipart.h"

#include <algorithm>
#include <optional>

namespace gemma3n::server {
namespace {

constexpr size_t kMaxFields = 64;
constexpr size_t kMaxHeaderBytes = 8192;
constexpr size_t kMaxBoundary = 70;  // RFC 2046

template <typename... Args>
Status Malformed(fmt::format_string<Args...> format, Args&&... args) {
  return Error(StatusCode::kInvalidArgument, "multipart/form-data: {}",
               fmt::format(format, std::forward<Args>(args)...));
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Takes the value of a parameter off `text`, which begins with it: a token, or a quoted string in
// which a backslash stands before a quote or another backslash (older browsers leave others as they
// are: C:\x).
std::optional<std::string> TakeValue(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const size_t end = std::min(text.find(';'), text.size());
    value = Trimmed(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    const bool escapes =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    if (escapes) ++i;
    value += text[i];
  }
  return std::nullopt;  // no closing quote
}

// A header's value, "form-data; name=...": the parameter of that name, if it is there.
std::optional<std::string> Parameter(std::string_view header, std::string_view name) {
  size_t semicolon = header.find(';');
  while (semicolon != header.npos) {
    header.remove_prefix(semicolon + 1);
    const size_t equals = header.find('=');
    if (equals == header.npos) return std::nullopt;
    const std::string_view found = Trimmed(header.substr(0, equals));
    header.remove_prefix(equals + 1);
    header.remove_prefix(std::min(header.find_first_not_of(" \t"), header.size()));
    auto value = TakeValue(header);
    if (!value || SameIgnoringCase(found, name)) return value;
    semicolon = header.find(';');
  }
  return std::nullopt;
}

// One field's header lines.
Status ReadHeaders(std::string_view headers, FormField& field) {
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(end == headers.npos ? headers.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == line.npos) return Malformed("a field's header without a colon");
    if (!SameIgnoringCase(Trimmed(line.substr(0, colon)), "content-disposition")) continue;
    const std::string_view value = Trimmed(line.substr(colon + 1));
    field.name = Parameter(value, "name").value_or("");
    field.filename = Parameter(value, "filename").value_or("");
  }
  return field.name.empty() ? Malformed("a field without a name") : OkStatus();
}

}  // namespace

Result<std::vector<FormField>> ParseMultipart(std::string_view content_type,
                                              std::string_view body) {
  const std::string_view type = Trimmed(content_type.substr(0, content_type.find(';')));
  if (!SameIgnoringCase(type, "multipart/form-data")) {
    return Error(StatusCode::kInvalidArgument,
                 "Content-Type: expected multipart/form-data, found '{}'", type);
  }
  const std::string boundary = Parameter(content_type, "boundary").value_or("");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    return Malformed("expected a boundary of 1 to {} bytes in Content-Type, found {}", kMaxBoundary,
                     boundary.size());
  }
  // Every boundary but the first has a line break in front; give that to the first one too.
  const std::string delimiter = "\r\n--" + boundary;
  const std::string_view first = std::string_view(delimiter).substr(2);
  size_t at = 0;
  if (body.starts_with(first)) {
    at = first.size();
  } else if (const size_t found = body.find(delimiter); found != body.npos) {
    at = found + delimiter.size();  // what is before it means nothing
  } else {
    return Malformed("the boundary is not in the body");
  }

  std::vector<FormField> fields;
  while (true) {
    std::string_view rest = body.substr(at);
    if (rest.starts_with("--")) return fields;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with("\r\n")) return Malformed("expected a line break after a boundary");
    if (fields.size() == kMaxFields) return Malformed("more than {} fields", kMaxFields);
    // The headers end with an empty line; its first line break may be the boundary's own.
    const size_t headers_end = rest.substr(0, kMaxHeaderBytes).find("\r\n\r\n");
    if (headers_end == rest.npos) {
      return Malformed("a field's headers do not end within {} bytes", kMaxHeaderBytes);
    }
    FormField field;
    const std::string_view headers = rest.substr(0, headers_end);
    G3N_RETURN_IF_ERROR(ReadHeaders(headers.substr(std::min<size_t>(2, headers.size())), field));
    rest.remove_prefix(headers_end + 4);
    const size_t end = rest.find(delimiter);
    if (end == rest.npos) return Malformed("field '{}' does not end", field.name);
    field.content = rest.substr(0, end);
    at = static_cast<size_t>(rest.data() + end - body.data()) + delimiter.size();
    fields.push_back(std::move(field));
  }
}

}  // namespace gemma3n::server
