// One client's connection: requests in order, each answered through an Exchange. Runs on its
// socket's executor (a strand), which all private members belong to.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/http/exchange.h"
#include "server/http/gate.h"
#include "server/http/http_options.h"
#include "server/http/request_reader.h"
#include "server/http/response_head.h"
#include "server/http/send_queue.h"
#include "server/http/worker_pool.h"
#include "server/metrics.h"

namespace gemma3n::server {

// What connections share; outlives them.
struct ConnectionContext {
  const HttpOptions& options;
  const Gate& gate;
  WorkerPool& workers;
  Metrics& metrics;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  // peer: the client's address, as fair queues and the log know it.
  Connection(Socket socket, std::string peer, const ConnectionContext& context);
  ~Connection();

  void Start();
  Socket::executor_type executor() { return socket_.get_executor(); }

  // The Exchange numbered `id`, on the executor; calls for another than the current one do nothing.
  void Respond(uint64_t id, int status, std::string type, std::string body, const Headers& headers);
  void Begin(uint64_t id, int status, std::string type, const Headers& headers);
  void Write(uint64_t id, std::string piece);
  void Finish(uint64_t id);
  void OnGone(uint64_t id, std::function<void()> gone);
  void OnBehind(uint64_t id, std::function<void(bool)> behind);
  void Abandon(uint64_t id);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { kReading, kAnswering, kLingering, kClosed };

  // The request that is being read or answered.
  struct Current {
    Admission admission;
    std::string method, path, client, request_id;
    Clock::time_point start = Clock::now();
    bool http10 = false, head_only = false, close = false;
    bool admitted = false;              // counted among those that are answered
    bool dispatched = false;            // an Exchange is there
    bool begun = false, ended = false;  // of the answer
    bool events = false;                // the answer is a stream of server-sent events
    int status = 0;
    int64_t sent_bytes = 0, body_bytes = 0;
    bool behind = false;
    std::function<void()> on_gone;
    std::function<void(bool)> on_behind;
  };

  // connection.cc: bytes in.
  void WaitReadable();
  void OnReadable();
  bool ReadAvailable();  // false: the client has gone
  void WatchForReset();
  void ProbeLater();
  void Process();
  std::string Asker(const HttpRequest& request) const;
  bool OnHeader();  // false: answered
  void Dispatch();
  bool CountBody();
  void SetReadTimer();
  void OnReadTimer();
  Clock::time_point ReadDeadline() const;

  // answer.cc: bytes out.
  bool IsCurrent(uint64_t id) const;
  void Refuse(int status, const std::string& message, const Headers& headers = {});
  void SendHead(int status, std::string_view type, std::optional<int64_t> bytes,
                const Headers& headers);
  void Send(std::string bytes);
  void OnSent();
  void UpdateBehind();
  void LimitBehind();
  void SetBeatTimer();
  void Beat();
  void Release();
  void EndExchange();
  void ReportExchange();
  void Linger();
  void Lost();  // the client has gone
  void Close();

  ConnectionContext context_;
  Socket socket_;
  const std::string peer_;
  Phase phase_ = Phase::kReading;
  std::string in_;  // read and not yet parsed: of requests behind the current one, too
  bool waiting_ = false, end_of_input_ = false, first_ = true;
  std::unique_ptr<RequestReader> reader_;
  Clock::time_point
      since_;  // the connection's, the last answer's, the header's or the body's begin
  boost::asio::steady_timer read_timer_, beat_timer_;
  Clock::time_point behind_since_;
  uint64_t id_ = 0;
  Current current_;
  SendQueue queue_;
};

}  // namespace gemma3n::server
