// Reading: what comes in becomes requests, within the limits on size and time.
#include "server/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cctype>
#include <exception>
#include <random>
#include <utility>

#include "server/http/socket_exchange.h"

namespace gemma3n::server {
namespace {

constexpr size_t kReadAhead = 64 << 10;  // of requests behind the current one
constexpr std::chrono::milliseconds kProbeAfter{250};
constexpr const char* kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr size_t kLongestAddress = 45;  // of IPv6
constexpr int kReadsInARow = 8;         // before others have their turn

std::chrono::steady_clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

// The client's own name for the request where it is a decent one, else a new one.
std::string RequestId(const HttpRequest& request) {
  const std::string_view given = request.Header("x-request-id");
  const bool decent = !given.empty() && given.size() <= 128 &&
                      std::all_of(given.begin(), given.end(), [](unsigned char c) {
                        return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
                      });
  if (decent) return std::string(given);
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req_{:016x}", random());
}

// Whatever a handler throws is an answer, not the server's end.
void Run(const Handler& handler, ErrorStyle style, const std::shared_ptr<Exchange>& exchange) {
  std::string what;
  try {
    handler(exchange);
    return;
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "unknown";
  }
  exchange->Respond(500, "application/json",
                    ErrorBody(style, 500, "the request could not be handled: " + what));
}

}  // namespace

Connection::Connection(Socket socket, std::string peer, const ConnectionContext& context)
    : context_(context),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      since_(Clock::now()),
      read_timer_(socket_.get_executor()),
      beat_timer_(socket_.get_executor()),
      queue_(socket_, std::chrono::duration<double>(context.options.write_seconds)) {
  ++context_.metrics.connections;
}

Connection::~Connection() { --context_.metrics.connections; }

void Connection::Start() {
  boost::system::error_code ec;
  socket_.non_blocking(true, ec);
  if (ec) return Close();
  queue_.Start(weak_from_this(), {[this](size_t bytes) {
                                    context_.metrics.bytes_written += static_cast<int64_t>(bytes);
                                    current_.sent_bytes += static_cast<int64_t>(bytes);
                                    OnSent();
                                  },
                                  [this] { Lost(); }});
  const ReadLimits limits{context_.options.max_header_bytes, context_.options.max_body_bytes};
  reader_ = std::make_unique<RequestReader>(limits);
  SetReadTimer();
  WatchForReset();
  WaitReadable();
}

// A reset shows even while nothing is read.
void Connection::WatchForReset() {
  socket_.async_wait(Socket::wait_error,
                     [this, self = shared_from_this()](const boost::system::error_code& ec) {
                       if (ec != boost::asio::error::operation_aborted) Lost();
                     });
}

void Connection::WaitReadable() {
  const bool full = phase_ == Phase::kAnswering && in_.size() >= kReadAhead;
  if (waiting_ || end_of_input_ || full || phase_ == Phase::kClosed) return;
  waiting_ = true;
  socket_.async_wait(Socket::wait_read,
                     [this, self = shared_from_this()](const boost::system::error_code& ec) {
                       waiting_ = false;
                       if (phase_ == Phase::kClosed) return;
                       if (ec) return Lost();
                       OnReadable();
                     });
}

bool Connection::ReadAvailable() {
  thread_local std::array<char, 64 << 10> buffer;
  for (int i = 0; i < kReadsInARow; ++i) {
    boost::system::error_code ec;
    const size_t bytes = socket_.read_some(boost::asio::buffer(buffer), ec);
    context_.metrics.bytes_read += static_cast<int64_t>(bytes);
    if (phase_ != Phase::kLingering) in_.append(buffer.data(), bytes);
    if (ec == boost::asio::error::would_block) return true;
    if (ec == boost::asio::error::eof) {
      end_of_input_ = true;
      return true;
    }
    if (ec) return false;
    if (phase_ == Phase::kAnswering && in_.size() >= kReadAhead) return true;
    if (phase_ == Phase::kReading && bytes < buffer.size()) return true;
  }
  return true;
}

void Connection::OnReadable() {
  if (!ReadAvailable()) return Lost();
  if (phase_ == Phase::kReading) Process();
  if (phase_ == Phase::kLingering && end_of_input_) Close();
  ProbeLater();
  WaitReadable();
}

// A client that sends no more has shut down its sending side, or is gone altogether. Bytes to it
// tell: who is gone answers them with a reset.
void Connection::ProbeLater() {
  if (!end_of_input_ || phase_ != Phase::kAnswering || !current_.dispatched) return;
  if (current_.begun) return Beat();  // at once: a stream's place is free a step sooner
  read_timer_.expires_after(kProbeAfter);
  read_timer_.async_wait([this, self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec || phase_ != Phase::kAnswering || current_.ended) return;
    // What every client skips, where no answer has begun, and in a stream of events.
    if (!current_.begun && !current_.http10) Send(kContinue);
    Beat();
  });
}

void Connection::Process() {
  while (phase_ == Phase::kReading) {
    if (!reader_->started()) {
      while (in_.starts_with("\r\n")) in_.erase(0, 2);
      if (!in_.empty()) {
        since_ = current_.start = Clock::now();
        SetReadTimer();
      }
    }
    size_t used = 0;
    const RequestReader::Event event = reader_->Feed(in_, used);
    in_.erase(0, used);
    if (event == RequestReader::Event::kFailed) {
      current_.close = true;
      current_.method = reader_->request().method;
      current_.path = reader_->request().path;
      if (!reader_->header_done())
        current_.admission.match = context_.gate.Find(current_.method, current_.path);
      return Refuse(reader_->error().status, reader_->error().message);
    }
    if (event == RequestReader::Event::kHeader) {
      if (!OnHeader()) return;
      continue;
    }
    if (!CountBody()) return;
    if (event == RequestReader::Event::kDone) return Dispatch();
    if (end_of_input_) Close();  // in the middle of a request, or behind the last
    return;
  }
}

// The peer, or whom a proxy of ours asks for: the last entry of X-Forwarded-For is the proxy's own.
std::string Connection::Asker(const HttpRequest& request) const {
  const std::vector<std::string>& proxies = context_.options.trusted_proxies;
  if (std::find(proxies.begin(), proxies.end(), peer_) == proxies.end()) return peer_;
  std::string_view entry = request.Header("x-forwarded-for");
  entry.remove_prefix(entry.find_last_of(", ") + 1);
  const bool decent = !entry.empty() && entry.size() <= kLongestAddress &&
                      std::all_of(entry.begin(), entry.end(), [](unsigned char c) {
                        return std::isxdigit(c) || c == '.' || c == ':';
                      });
  return decent ? std::string(entry) : peer_;
}

bool Connection::OnHeader() {
  HttpRequest& request = reader_->request();
  current_.http10 = reader_->http10();
  current_.head_only = request.method == "HEAD";
  current_.close = !reader_->keep_alive();
  current_.method = request.method;
  current_.path = request.path;
  current_.request_id = RequestId(request);
  current_.admission = context_.gate.Admit(request);
  current_.client = current_.admission.client;
  if (current_.client.empty()) current_.client = Asker(request);
  request.headers["x-request-id"] = current_.request_id;
  request.client = current_.client;
  if (const auto& answer = current_.admission.answer) {
    current_.close = current_.close || reader_->has_body();
    Refuse(answer->status, answer->message, answer->headers);
    return false;
  }
  current_.admitted = true;
  ++context_.metrics.exchanges;
  since_ = Clock::now();
  SetReadTimer();
  if (reader_->expects_continue() && reader_->has_body() && in_.empty() && !current_.http10) {
    Send(kContinue);
  }
  return true;
}

// Takes what was read from the memory for all bodies.
bool Connection::CountBody() {
  const int64_t fresh = reader_->body_bytes() - current_.body_bytes;
  if (fresh <= 0) return true;
  current_.body_bytes += fresh;
  if ((context_.metrics.body_bytes += fresh) <= context_.options.max_bodies_bytes) return true;
  current_.close = true;
  Refuse(503, "the server has no memory for more requests now", {{"retry-after", "5"}});
  return false;
}

void Connection::Dispatch() {
  phase_ = Phase::kAnswering;
  read_timer_.cancel();
  current_.dispatched = true;
  const Handler& handler = *current_.admission.match.handler;
  const ErrorStyle style = current_.admission.match.style;
  auto exchange = MakeSocketExchange(shared_from_this(), ++id_, std::move(reader_->request()));
  if (current_.admission.match.traits.quick) return Run(handler, style, exchange);
  // The handler is the router's, which outlives the workers.
  const bool taken = context_.workers.TryPost(
      [&handler, style, exchange]() mutable { Run(handler, style, std::move(exchange)); });
  if (!taken) {
    exchange->Respond(503, "application/json",
                      ErrorBody(style, 503, "too many requests wait to be read"),
                      {{"retry-after", "1"}});
  }
}

Connection::Clock::time_point Connection::ReadDeadline() const {
  const HttpOptions& options = context_.options;
  if (reader_->header_done()) {
    const auto bytes = static_cast<double>(reader_->body_bytes());
    return since_ + Seconds(options.body_seconds + bytes / options.body_rate);
  }
  const bool idle = !reader_->started() && !first_;
  return since_ + Seconds(idle ? options.idle_seconds : options.header_seconds);
}

void Connection::SetReadTimer() {
  read_timer_.expires_at(ReadDeadline());
  read_timer_.async_wait([this, self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec) OnReadTimer();
  });
}

void Connection::OnReadTimer() {
  if (phase_ == Phase::kLingering) return Close();
  if (phase_ != Phase::kReading) return;
  if (Clock::now() < ReadDeadline()) return SetReadTimer();
  if (!reader_->started()) return Close();
  current_.close = true;
  Refuse(408, reader_->header_done() ? "the request's body comes too slowly"
                                     : "the request's header comes too slowly");
}

}  // namespace gemma3n::server
