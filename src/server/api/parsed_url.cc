#include "server/api/parsed_url.h"

namespace gemma3n::server {

Result<ParsedUrl> ParsedUrl::Parse(const std::string& text) {
  ParsedUrl parsed;
  parsed.url_.reset(curl_url());
  if (parsed.url_ == nullptr) {
    return Error(StatusCode::kResourceExhausted, "out of memory for a URL");
  }
  if (text.find('\0') != text.npos ||
      curl_url_set(parsed.handle(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return Error(StatusCode::kInvalidArgument, "{}: not a well-formed URL", text);
  }
  return parsed;
}

std::string ParsedUrl::Part(CURLUPart part, bool decoded) const {
  char* text = nullptr;
  if (curl_url_get(handle(), part, &text, decoded ? CURLU_URLDECODE : 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
  return text;
}

}  // namespace gemma3n::server
