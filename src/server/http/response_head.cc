#include "server/http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <iterator>

namespace gemma3n::server {
namespace {

void AddHeaders(const Headers& headers, std::string& out) {
  for (const auto& [name, value] : headers) {
    if (value.find_first_of("\r\n") != std::string::npos) continue;
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
}

bool Names(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
    return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  });
}

}  // namespace

const char* ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

std::string HeadText(const ResponseHead& head, const Headers& headers, const Headers& more) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  // Named by hand: the locale's day and month names are not HTTP's.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\ndate: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\nserver: gemma3n\r\n",
      head.status, ReasonPhrase(head.status), kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon],
      utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  const auto back = std::back_inserter(out);
  if (!head.content_type.empty() && head.content_type.find_first_of("\r\n") == std::string::npos) {
    fmt::format_to(back, "content-type: {}\r\n", head.content_type);
  }
  if (head.content_bytes && head.status != 204 && head.status != 304) {
    fmt::format_to(back, "content-length: {}\r\n", *head.content_bytes);
  } else if (!head.content_bytes) {
    // What a proxy must know to hand the pieces on as they come.
    if (!Names(headers, "cache-control")) out += "cache-control: no-store\r\n";
    out += "x-accel-buffering: no\r\n";
    if (!head.http10) out += "transfer-encoding: chunked\r\n";
  }
  if (head.close) {
    out += "connection: close\r\n";
  } else if (head.http10) {
    out += "connection: keep-alive\r\n";
  }
  if (!Names(headers, "x-content-type-options")) out += "x-content-type-options: nosniff\r\n";
  AddHeaders(headers, out);
  AddHeaders(more, out);
  return out + "\r\n";
}

std::string ChunkText(std::string_view piece) {
  return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
}

}  // namespace gemma3n::server
