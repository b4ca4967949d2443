// A medium from an http(s) URL that a stranger named.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/api/public_address.h"

namespace gemma3n::server {

struct RemoteFetchOptions {
  std::vector<std::string> hosts;  // "example.org", "*.example.org" (any name below); empty: any
  int64_t max_bytes = 0;
  double seconds = 0;  // for all of it, redirects included
  int max_redirects = 3;
  // Which addresses may be connected to, asked for each connection after the name's resolution: so
  // a name that resolves differently the next time gains nothing.
  std::function<bool(const sockaddr&)> may_connect = IsPublicAddress;
};

// The body of an answer of 200. Only GET, HTTP/1.1 and TLS; without cookies, credentials,
// environment's proxies or decompression; each redirect is checked as the first URL is.
// Errors: kInvalidArgument (not an http(s) URL, credentials in it, a host or an address that may
// not be reached, too many redirects), kNotFound (404, 410), kOutOfRange (too large), kIo (the
// rest).
Result<std::vector<std::byte>> FetchRemote(const std::string& url,
                                           const RemoteFetchOptions& options);

// Whether a host's name is matched by one of the patterns; case and a final dot do not matter.
bool HostMatches(std::string_view host, const std::vector<std::string>& patterns);

}  // namespace gemma3n::server
