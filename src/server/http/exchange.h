// One HTTP request and its answer, as the APIs see them. Implemented by http/connection over a
// socket, and by tests without one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gemma3n::server {

struct HttpRequest {
  std::string method;                          // "GET", "POST", ...
  std::string path;                            // decoded, without the query: "/v1/models/tiny"
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string client;  // who asks, for fair queues: the API key's name, else the peer's address

  // Empty where the header is absent.
  std::string_view Header(const std::string& lower_case_name) const {
    const auto it = headers.find(lower_case_name);
    return it == headers.end() ? std::string_view() : std::string_view(it->second);
  }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// All calls may come from any thread and never block; they are done in order on the connection's own.
// Exactly one of Respond, or Begin and then Finish, ends the exchange; dropping the last reference
// before that closes the connection.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;

  // The whole answer.
  virtual void Respond(int status, std::string content_type, std::string body,
                       Headers headers = {}) = 0;

  // An answer in pieces (chunked): server-sent events, lines of JSON.
  virtual void Begin(int status, std::string content_type, Headers headers = {}) = 0;
  virtual void Write(std::string piece) = 0;
  virtual void Finish() = 0;

  // Called once, from the connection's thread, when the client has gone before the answer's end; at
  // once when it is gone already.
  virtual void OnGone(std::function<void()> gone) = 0;
  // Called from the connection's thread with true when more than the limit waits to be sent (the
  // reader is slow), with false when it has caught up.
  virtual void OnBehind(std::function<void(bool)> behind) = 0;
};

using Handler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace gemma3n::server
