// HTTP: any bytes on a connection are answered in whole answers, and read the same however they are
// cut. The input's first byte says into pieces of what size.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "require.h"
#include "server/http/connection.h"

namespace {

using gemma3n::fuzz::Require;
using namespace gemma3n::server;

// Requests until the first that is wrong or not whole, as text.
std::vector<std::string> ReadRequests(const std::string& text, size_t step) {
  std::vector<std::string> list;
  std::string in;
  size_t next = 0;
  auto reader = std::make_unique<RequestReader>(ReadLimits{1024, 2048});
  for (;;) {
    size_t used = 0;
    const RequestReader::Event event = reader->Feed(in, used);
    Require(used <= in.size(), "no more is used than there is");
    in.erase(0, used);
    if (event == RequestReader::Event::kFailed) {
      Require(!reader->error().message.empty() && reader->error().status >= 400,
              "an error says why");
      return list;  // or, cut elsewhere, not yet known to be wrong
    }
    if (event == RequestReader::Event::kDone) {
      const HttpRequest& r = reader->request();
      Require(r.path.starts_with('/') || r.path == "*", "a path begins with a slash");
      Require(r.body.size() <= 2048, "a body keeps the limit");
      std::string entry = fmt::format("{} {}\n{}", r.method, r.path, r.body);
      for (const auto& [name, value] : r.headers) entry += fmt::format("\n{}:{}", name, value);
      for (const auto& [name, value] : r.query) entry += fmt::format("\n{}={}", name, value);
      list.push_back(std::move(entry));
      reader = std::make_unique<RequestReader>(ReadLimits{1024, 2048});
    }
    if (event != RequestReader::Event::kMore) continue;
    if (next == text.size()) return list;
    in += text.substr(next, step);
    next = std::min(text.size(), next + step);
  }
}

// What comes back to a client that sends the bytes and then no more.
std::string Converse(const std::string& text) {
  static const Router router = [] {
    Router r;
    const Handler echo = [](const std::shared_ptr<Exchange>& e) {
      e->Respond(200, "text/plain", e->request().body);
    };
    const Handler pieces = [](const std::shared_ptr<Exchange>& e) {
      e->Begin(200, "text/plain");
      e->Write(e->request().body);
      e->Write(e->request().path);
      e->Finish();
    };
    r.Add("GET", "/", ErrorStyle::kOpenAi, echo, {.open = true, .quick = true});
    r.Add("POST", "/", ErrorStyle::kOpenAi, echo, {.quick = true});
    r.Add("POST", "/api/*", ErrorStyle::kOllama, pieces, {.quick = true});
    r.Add("GET", "/v1/*", ErrorStyle::kAnthropic, pieces, {.open = true, .quick = true});
    return r;
  }();
  static const Gate gate(router, {ApiKeys(), {"localhost", "h"}, {"http://o"}});
  static const HttpOptions options = [] {
    HttpOptions o;
    o.max_header_bytes = 1024;
    o.max_body_bytes = 2048;
    o.max_bodies_bytes = 1500;
    return o;
  }();
  static WorkerPool workers(0, 0);
  static Metrics metrics;

  int ends[2];
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
  boost::asio::io_context io;
  {
    const boost::asio::any_io_executor strand = boost::asio::make_strand(io);
    Connection::Socket socket(strand, boost::asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
    std::make_shared<Connection>(std::move(socket), "fuzz",
                                 ConnectionContext{options, gate, workers, metrics})
        ->Start();
  }
  std::string answers;
  size_t sent = 0;
  bool open = true;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (open && std::chrono::steady_clock::now() < deadline) {
    if (sent < text.size()) {
      const ssize_t n =
          ::send(ends[1], text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      sent = n > 0 ? sent + static_cast<size_t>(n) : errno == EAGAIN ? sent : text.size();
      if (sent == text.size()) ::shutdown(ends[1], SHUT_WR);
    } else if (text.empty()) {
      ::shutdown(ends[1], SHUT_WR);
    }
    if (io.poll() == 0) io.run_one_for(std::chrono::milliseconds(1));
    char buffer[4096];
    const ssize_t n = ::recv(ends[1], buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n > 0) answers.append(buffer, static_cast<size_t>(n));
    open = n > 0 || (n < 0 && errno == EAGAIN);
  }
  Require(!open, "a connection comes to its end");
  ::close(ends[1]);
  io.poll();
  Require(metrics.connections == 0 && metrics.exchanges == 0 && metrics.body_bytes == 0,
          "nothing is left of it");
  return answers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> whole = ReadRequests(text, text.size() + 1);
  Require(whole == ReadRequests(text, data[0] + size_t{1}), "the cuts do not matter");
  const std::string answers = Converse(text);
  Require(answers.empty() || answers.starts_with("HTTP/1.1 "), "answers are HTTP");
  if (!whole.empty()) Require(!answers.empty(), "a request has an answer");
  return 0;
}
