#include "server/http/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace gemma3n::server {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// "[::1]:8080" is "[::1]", "localhost:80" is "localhost".
std::string HostName(std::string_view header) {
  const size_t bracket = header.rfind(']');
  const size_t colon = header.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return Lower(header.substr(0, colon));
}

bool Contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string Joined(const std::vector<std::string>& methods) {
  std::string out;
  for (const std::string& method : methods) {
    out += method + ", ";
    if (method == "GET") out += "HEAD, ";
  }
  return out + "OPTIONS";
}

// What a browser asks before a page of another origin may send the request itself.
Headers PreflightHeaders(const HttpRequest& request, const std::string& methods) {
  Headers headers = {{"access-control-allow-methods", methods}, {"access-control-max-age", "600"}};
  const std::string_view wanted = request.Header("access-control-request-headers");
  if (!wanted.empty()) headers.emplace_back("access-control-allow-headers", std::string(wanted));
  return headers;
}

}  // namespace

std::vector<std::string> LoopbackHosts(const std::vector<std::string>& more) {
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "[::1]"};
  for (const std::string& host : more) hosts.push_back(HostName(host));
  return hosts;
}

bool Gate::HostAllowed(const HttpRequest& request) const {
  // HTTP/1.0 knows no such header, and no browser speaks it.
  const std::string_view host = request.Header("host");
  return options_.hosts.empty() || host.empty() || Contains(options_.hosts, HostName(host));
}

bool Gate::OriginAllowed(const HttpRequest& request) const {
  const std::string_view origin = request.Header("origin");
  return Contains(options_.cors_origins, "*") || Contains(options_.cors_origins, origin);
}

Admission Gate::Admit(const HttpRequest& request) const {
  Admission admission;
  admission.match = router_.Find(request.method, request.path);
  const Router::Match& match = admission.match;
  const auto answer = [&](int status, std::string message, Headers headers = {}) {
    admission.answer = {status, std::move(message), std::move(headers)};
    return admission;
  };

  if (!HostAllowed(request)) {
    return answer(403, fmt::format("expected a Host header that names this server, found \"{}\" "
                                   "(--allowed-host lets it in)",
                                   request.Header("host")));
  }
  const std::string_view origin = request.Header("origin");
  if (!origin.empty() && OriginAllowed(request)) {
    admission.headers = {{"access-control-allow-origin", std::string(origin)},
                         {"access-control-expose-headers", "x-request-id"},
                         {"vary", "Origin"}};
  } else if (!origin.empty() && request.method != "GET" && request.method != "HEAD") {
    const size_t authority = origin.find("://");
    const bool own = authority != std::string_view::npos &&
                     Lower(origin.substr(authority + 3)) == Lower(request.Header("host"));
    if (!own) {
      return answer(403, fmt::format("pages of {} may not ask this server (--cors-origin lets "
                                     "them)",
                                     origin));
    }
  }
  if (request.method == "OPTIONS" && (!match.route.empty() || request.path == "*")) {
    const std::string methods = Joined(match.allowed);
    Headers headers = PreflightHeaders(request, methods);
    if (admission.headers.empty()) headers.clear();
    headers.emplace_back("allow", methods);
    return answer(204, "", std::move(headers));
  }
  if (!options_.keys.empty()) {
    std::optional<std::string> name = options_.keys.Find(request);
    if (!name && !match.traits.open) {
      return answer(401,
                    "expected an API key of this server in \"Authorization: Bearer KEY\" or "
                    "\"x-api-key: KEY\"",
                    {{"www-authenticate", "Bearer"}});
    }
    admission.client = std::move(name).value_or("");
  }
  if (match.route.empty()) {
    return answer(404, fmt::format("nothing is at {} {}", request.method, request.path));
  }
  if (match.handler == nullptr) {
    const std::string methods = Joined(match.allowed);
    return answer(405, fmt::format("{} takes {}, not {}", request.path, methods, request.method),
                  {{"allow", methods}});
  }
  const std::string_view encoding = request.Header("content-encoding");
  if (!encoding.empty() && Lower(encoding) != "identity") {
    return answer(415,
                  fmt::format("expected a body without Content-Encoding, found \"{}\"", encoding));
  }
  if (closed_ && !match.traits.quick) {
    return answer(503, "the server is shutting down", {{"retry-after", "5"}});
  }
  return admission;
}

}  // namespace gemma3n::server
