// Which handler answers a method and a path.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/error_body.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

struct RouteTraits {
  bool open = false;   // answers without an API key: health, the page's files
  bool quick = false;  // the handler never blocks and runs on the connection's own thread
};

class Router {
 public:
  // path: "/v1/models", or with a trailing "/*" everything below it. A handler runs on a worker
  // thread and may block there (decoding media); answers may come later, from any thread. HEAD is
  // answered by GET's handler (its body is left out), OPTIONS by the server.
  void Add(std::string method, std::string path, ErrorStyle style, Handler handler,
           RouteTraits traits = {});

  struct Match {
    const Handler* handler = nullptr;  // null: none
    ErrorStyle style = ErrorStyle::kOpenAi;
    RouteTraits traits;
    std::string_view route;            // the path as it was added; empty: no such path
    std::vector<std::string> allowed;  // methods of that path
  };
  // An exact path goes before a folder, a longer folder before a shorter one.
  Match Find(std::string_view method, std::string_view path) const;

 private:
  struct Method {
    Handler handler;
    RouteTraits traits;
  };
  struct Route {
    std::string path;  // as added
    bool below = false;
    ErrorStyle style = ErrorStyle::kOpenAi;
    std::map<std::string, Method, std::less<>> methods;
  };
  const Route* FindRoute(std::string_view path) const;

  std::vector<Route> routes_;
};

}  // namespace gemma3n::server
