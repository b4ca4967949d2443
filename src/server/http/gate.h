// Decides from a request's header alone, before its body is read, whether and by whom it is
// answered.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "server/http/auth.h"
#include "server/http/exchange.h"
#include "server/http/router.h"

namespace gemma3n::server {

struct GateOptions {
  ApiKeys keys;
  // Host headers that are taken, without a port; empty: any. Guards a server on the loopback from
  // pages of the web whose name was pointed at it (DNS rebinding).
  std::vector<std::string> hosts;
  std::vector<std::string> cors_origins;  // pages that may ask besides our own; "*": all
};

// The names of a server on the loopback, and `more`.
std::vector<std::string> LoopbackHosts(const std::vector<std::string>& more);

struct Admission {
  Router::Match match;
  std::string client;  // the key's name; empty: nobody's
  Headers headers;     // go with every answer (CORS)

  // Set: this is the answer, an error in the API's form, or (status 204) to OPTIONS.
  struct Answer {
    int status = 0;
    std::string message;
    Headers headers;
  };
  std::optional<Answer> answer;
};

class Gate {
 public:
  Gate(const Router& router, GateOptions options) : router_(router), options_(std::move(options)) {}

  Admission Admit(const HttpRequest& request) const;
  // The route alone, for errors before a header's end.
  Router::Match Find(std::string_view method, std::string_view path) const {
    return router_.Find(method, path);
  }

  // From now on only what is quick is answered, the rest with 503.
  void CloseForNew() { closed_ = true; }
  bool closed() const { return closed_; }

 private:
  bool HostAllowed(const HttpRequest& request) const;
  bool OriginAllowed(const HttpRequest& request) const;

  const Router& router_;
  const GateOptions options_;
  std::atomic<bool> closed_{false};
};

}  // namespace gemma3n::server
