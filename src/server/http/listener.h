// The HTTP server: listens, takes connections, and runs them and their handlers on its own threads.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "server/http/gate.h"
#include "server/http/http_options.h"
#include "server/http/router.h"
#include "server/metrics.h"

namespace gemma3n::server {

class HttpServer {
 public:
  // Listens and answers from now on. router, gate and metrics must outlive it, and so must what the
  // handlers use. Errors: kInvalidArgument (a host without an address), kIo (the address is taken
  // or not ours).
  static Result<std::unique_ptr<HttpServer>> Start(const HttpOptions& options, const Gate& gate,
                                                   Metrics& metrics);
  // Closes what is open. Exchanges must be gone before, or no longer used.
  ~HttpServer();

  // "http://127.0.0.1:8080", "unix:/run/gemma3n.sock"
  const std::string& address() const;

  // Takes no more connections; those that are open go on.
  void StopListening();
  // Ends the handlers' threads; what waits for one is dropped.
  void StopWorkers();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// True when the host is the loopback's or none at all (a Unix socket): only this machine asks.
bool ListensOnLoopback(const HttpOptions& options);

// Lets this process open as many files as `connections` and what else it does need. Returns how
// many connections there may be.
int64_t MakeRoomForConnections(int64_t connections);

}  // namespace gemma3n::server
