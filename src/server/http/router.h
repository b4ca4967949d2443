// Which handler answers a method and a path.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/exchange.h"

namespace gemma3n::server {

// Whose form an error takes (each API has its own).
enum class ErrorStyle { kOpenAi, kAnthropic, kOllama };

class Router {
 public:
  // path: "/v1/models", or with a trailing "/*" everything below it. A handler runs on a worker
  // thread and may block there (decoding media); answers may come later, from any thread.
  void Add(std::string method, std::string path, ErrorStyle style, Handler handler);

  struct Match {
    const Handler* handler = nullptr;   // null: none
    ErrorStyle style = ErrorStyle::kOpenAi;
    std::vector<std::string> allowed;   // methods of that path, where only the method is wrong
  };
  Match Find(std::string_view method, std::string_view path) const;

 private:
  struct Route {
    std::string path;
    bool below = false;
    ErrorStyle style = ErrorStyle::kOpenAi;
    std::map<std::string, Handler> methods;
  };
  std::vector<Route> routes_;
};

// An error as that API writes it: OpenAI {"error": {message, type, param, code}}, Anthropic {"type":
// "error", "error": {type, message}}, Ollama {"error": message}.
std::string ErrorBody(ErrorStyle style, int http_status, std::string_view message);

}  // namespace gemma3n::server
