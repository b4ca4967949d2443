// What the HTTP server listens on and how much it takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gemma3n::server {

struct HttpOptions {
  std::string host = "127.0.0.1";  // an address or a name
  int port = 8080;                 // 0: any that is free
  std::string unix_socket;         // a path: listen there instead

  int64_t max_connections = 4096;
  int64_t max_header_bytes = int64_t{64} << 10;
  int64_t max_body_bytes = int64_t{128} << 20;  // of one request
  int64_t max_bodies_bytes = int64_t{1} << 30;  // of all requests that are being read or answered

  double header_seconds =
      10;  // from a request's first byte (a connection's start) to its header's end
  double body_seconds = 30;     // for the body, and beyond that ...
  double body_rate = 16 << 10;  // ... a second for each of these bytes
  double idle_seconds = 75;     // between requests of a connection
  double write_seconds = 60;    // a client that takes nothing for so long is gone
  double beat_seconds = 15;  // a silent stream of events gets a comment, so that no proxy gives up

  int64_t behind_bytes = int64_t{256} << 10;  // more than this unsent: the reader is behind

  int io_threads = 1;
  int workers = 4;       // threads for handlers that may block
  int max_queued = 256;  // requests that wait for one of them

  std::vector<std::string> cors_origins;     // "https://example.org", or "*" for any
  std::vector<std::string> allowed_hosts;    // Host headers taken besides the loopback's names
  std::vector<std::string> trusted_proxies;  // peers whose X-Forwarded-For names the client
  bool log = false;                          // a line on stderr for each request
};

}  // namespace gemma3n::server
