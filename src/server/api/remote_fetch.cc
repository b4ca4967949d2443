#include "server/api/remote_fetch.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>
#include <utility>

#include "server/api/parsed_url.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;

// One request and what becomes of it; curl's callbacks get it.
struct Transfer {
  const RemoteFetchOptions& options;
  std::vector<std::byte> body;
  size_t header_bytes = 0;
  bool too_large = false, forbidden_address = false;
};

size_t OnBody(char* data, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const auto limit = static_cast<size_t>(transfer.options.max_bytes);
  if (size > limit - transfer.body.size()) {
    transfer.too_large = true;
    return 0;  // ends the transfer
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  transfer.body.insert(transfer.body.end(), bytes, bytes + size);
  return size;
}

size_t OnHeader(char*, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  transfer.header_bytes += size;
  return transfer.header_bytes <= kMaxHeaderBytes ? size : 0;
}

curl_socket_t OnOpenSocket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (!transfer.options.may_connect(address->addr)) {
    transfer.forbidden_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// The URL as it will be fetched, if it may be.
Result<ParsedUrl> CheckedUrl(const std::string& text, const RemoteFetchOptions& options) {
  G3N_ASSIGN_OR_RETURN(ParsedUrl url, ParsedUrl::Parse(text));
  const std::string scheme = url.Part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Error(StatusCode::kInvalidArgument, "{}: expected an http or https URL", text);
  }
  if (!url.Part(CURLUPART_USER).empty() || !url.Part(CURLUPART_PASSWORD).empty()) {
    return Error(StatusCode::kInvalidArgument, "a URL with credentials in it is not fetched");
  }
  const std::string host = url.Part(CURLUPART_HOST);
  if (!options.hosts.empty() && !HostMatches(host, options.hosts)) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: the server's operator does not allow media from this host", host);
  }
  return url;
}

// Options of every request; false when curl lacks one of them, which must not go unnoticed.
bool Configure(CURL* curl, CURLU* url, Transfer& transfer, double seconds) {
  const auto set = [&](auto option, auto value) {
    return curl_easy_setopt(curl, option, value) == CURLE_OK;
  };
  const auto milliseconds = static_cast<long>(std::max(1.0, seconds * 1000));
  return set(CURLOPT_CURLU, url) && set(CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(CURLOPT_PROXY, "") && set(CURLOPT_FOLLOWLOCATION, 0L) &&
         set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}) &&
         set(CURLOPT_HTTP09_ALLOWED, 0L) && set(CURLOPT_NOSIGNAL, 1L) &&
         set(CURLOPT_TIMEOUT_MS, milliseconds) && set(CURLOPT_USERAGENT, "gemma3n") &&
         set(CURLOPT_WRITEFUNCTION, OnBody) && set(CURLOPT_WRITEDATA, &transfer) &&
         set(CURLOPT_HEADERFUNCTION, OnHeader) && set(CURLOPT_HEADERDATA, &transfer) &&
         set(CURLOPT_OPENSOCKETFUNCTION, OnOpenSocket) && set(CURLOPT_OPENSOCKETDATA, &transfer) &&
         set(CURLOPT_MAXFILESIZE_LARGE, curl_off_t{transfer.options.max_bytes});
}

// What one request led to: a body, or the URL to ask next.
struct Step {
  std::vector<std::byte> body;
  std::string redirect;
};

Status TransferError(CURLcode code, const Transfer& transfer, const std::string& host) {
  if (transfer.forbidden_address) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: resolves to an address that is not public, which is never reached", host);
  }
  if (transfer.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return Error(StatusCode::kOutOfRange, "{}: more than the limit of {} bytes", host,
                 transfer.options.max_bytes);
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Error(StatusCode::kIo, "{}: not fetched within {} s", host, transfer.options.seconds);
  }
  return Error(StatusCode::kIo, "{}: {}", host, curl_easy_strerror(code));
}

Result<Step> Request(const std::string& text, const RemoteFetchOptions& options, double seconds) {
  G3N_ASSIGN_OR_RETURN(const ParsedUrl url, CheckedUrl(text, options));
  const std::string host = url.Part(CURLUPART_HOST);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  Transfer transfer = {options};
  if (curl == nullptr || !Configure(curl.get(), url.handle(), transfer, seconds)) {
    return Error(StatusCode::kInternal, "libcurl cannot be set up for fetching");
  }
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    return TransferError(code, transfer, host);
  }
  long http_status = 0;
  char* redirect = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &http_status);
  curl_easy_getinfo(curl.get(), CURLINFO_REDIRECT_URL, &redirect);
  if (http_status >= 300 && http_status < 400 && redirect != nullptr) return Step{{}, redirect};
  if (http_status != 200) {
    const bool missing = http_status == 404 || http_status == 410;
    return Error(missing ? StatusCode::kNotFound : StatusCode::kIo,
                 "{}: answered with HTTP status {}, expected 200", host, http_status);
  }
  return Step{std::move(transfer.body), {}};
}

}  // namespace

bool HostMatches(std::string_view host, const std::vector<std::string>& patterns) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto same = [](std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
      return std::tolower(x) == std::tolower(y);
    });
  };
  return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
    if (!pattern.starts_with("*.")) return same(host, pattern);
    const std::string_view tail = pattern.substr(1);  // with its dot
    return host.size() > tail.size() && same(host.substr(host.size() - tail.size()), tail);
  });
}

Result<std::vector<std::byte>> FetchRemote(const std::string& url,
                                           const RemoteFetchOptions& options) {
  // curl's own setting up, once for the process, is safe among threads since 7.84.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return Error(StatusCode::kInternal, "libcurl cannot be started");

  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(options.seconds);
  std::string next = url;
  for (int hop = 0; hop <= options.max_redirects; ++hop) {
    const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
    if (left <= 0) return Error(StatusCode::kIo, "not fetched within {} s", options.seconds);
    G3N_ASSIGN_OR_RETURN(Step step, Request(next, options, left));
    if (step.redirect.empty()) return std::move(step.body);
    next = std::move(step.redirect);
  }
  return Error(StatusCode::kInvalidArgument, "{}: more than {} redirects", url,
               options.max_redirects);
}

}  // namespace gemma3n::server
