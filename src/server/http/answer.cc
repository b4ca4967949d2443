// Answering: heads, pieces and ends of answers, and what becomes of the connection after them.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <utility>

#include "base/result.h"
#include "server/http/connection.h"

namespace gemma3n::server {
namespace {

// For a client that is still sending: a close would reset the connection, and it might never read
// the answer.
constexpr std::chrono::seconds kLinger{3};

constexpr int kClientGone = 499;  // as nginx writes it; never sent

bool HasBody(int status) { return status != 204 && status != 304; }

}  // namespace

bool Connection::IsCurrent(uint64_t id) const {
  return phase_ == Phase::kAnswering && id == id_ && current_.dispatched && !current_.ended;
}

void Connection::SendHead(int status, std::string_view type, std::optional<int64_t> bytes,
                          const Headers& headers) {
  current_.begun = true;
  current_.status = status;
  current_.close = current_.close || context_.gate.closed();
  if (!bytes && current_.http10) current_.close = true;
  Headers more = current_.admission.headers;
  if (!current_.request_id.empty()) more.emplace_back("x-request-id", current_.request_id);
  const ResponseHead head{status, type, bytes, current_.http10, current_.close};
  Send(HeadText(head, headers, more));
}

void Connection::Refuse(int status, const std::string& message, const Headers& headers) {
  phase_ = Phase::kAnswering;
  read_timer_.cancel();
  const std::string body =
      HasBody(status) ? ErrorBody(current_.admission.match.style, status, message) : "";
  SendHead(status, HasBody(status) ? "application/json" : "", static_cast<int64_t>(body.size()),
           headers);
  current_.ended = true;
  if (!current_.head_only) Send(body);
}

void Connection::Respond(uint64_t id, int status, std::string type, std::string body,
                         const Headers& headers) {
  if (!IsCurrent(id)) return;
  if (current_.begun) return Close();  // too late for another answer
  if (!HasBody(status)) type.clear(), body.clear();
  SendHead(status, type, static_cast<int64_t>(body.size()), headers);
  current_.ended = true;
  if (!current_.head_only) Send(std::move(body));
}

void Connection::Begin(uint64_t id, int status, std::string type, const Headers& headers) {
  if (!IsCurrent(id) || current_.begun) return;
  SendHead(status, type, std::nullopt, headers);
  current_.events = type.starts_with("text/event-stream");
  if (current_.events) SetBeatTimer();
}

// Shows a proxy that the stream lives, and us that the client does.
void Connection::Beat() {
  if (!current_.events || queue_.waiting() > 0) return;
  Write(id_, ":\n\n");
}

void Connection::SetBeatTimer() {
  const auto wait = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(context_.options.beat_seconds));
  beat_timer_.expires_after(wait);
  beat_timer_.async_wait(
      [this, wait, id = id_, self = shared_from_this()](const boost::system::error_code& ec) {
        if (ec || !IsCurrent(id)) return;
        if (Clock::now() - queue_.last_progress() >= wait) Beat();
        SetBeatTimer();
      });
}

void Connection::Write(uint64_t id, std::string piece) {
  if (!IsCurrent(id) || !current_.begun || piece.empty() || current_.head_only) return;
  Send(current_.http10 ? std::move(piece) : ChunkText(piece));
  UpdateBehind();
}

void Connection::Finish(uint64_t id) {
  if (!IsCurrent(id) || !current_.begun) return;
  current_.ended = true;
  if (!current_.http10 && !current_.head_only) return Send(std::string(kLastChunk));
  if (queue_.waiting() == 0) EndExchange();
}

void Connection::OnGone(uint64_t id, std::function<void()> gone) {
  if (id != id_ || current_.ended) return;
  if (phase_ == Phase::kClosed) return gone();
  current_.on_gone = std::move(gone);
}

void Connection::OnBehind(uint64_t id, std::function<void(bool)> behind) {
  if (!IsCurrent(id)) return;
  current_.on_behind = std::move(behind);
  if (current_.behind) current_.on_behind(true);
}

void Connection::Abandon(uint64_t id) {
  if (IsCurrent(id)) Close();
}

void Connection::Send(std::string bytes) {
  if (!bytes.empty()) queue_.Add(std::move(bytes));
}

void Connection::OnSent() {
  UpdateBehind();
  if (phase_ == Phase::kAnswering && current_.ended && queue_.waiting() == 0) EndExchange();
}

void Connection::UpdateBehind() {
  const int64_t limit = context_.options.behind_bytes;
  const bool behind = current_.behind ? queue_.waiting() >= limit / 2 : queue_.waiting() > limit;
  if (behind == current_.behind) return;
  current_.behind = behind;
  if (behind) LimitBehind();
  if (current_.on_behind && !current_.ended) current_.on_behind(behind);
}

// An answer that waits for its reader keeps its place in the batch: not for one that takes a byte
// now and then.
void Connection::LimitBehind() {
  const auto since = behind_since_ = Clock::now();
  read_timer_.expires_after(std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(context_.options.write_seconds)));
  read_timer_.async_wait(
      [this, since, self = shared_from_this()](const boost::system::error_code& ec) {
        const bool same = phase_ == Phase::kAnswering && current_.behind && since == behind_since_;
        if (!ec && same && !current_.ended) Lost();
      });
}

// What the request and its answer took.
void Connection::Release() {
  if (current_.admitted) --context_.metrics.exchanges;
  context_.metrics.body_bytes -= current_.body_bytes;
  current_.admitted = false;
  current_.body_bytes = 0;
}

void Connection::ReportExchange() {
  using std::chrono::duration;
  const double seconds = duration<double>(Clock::now() - current_.start).count();
  const std::string_view route = current_.admission.match.route;
  context_.metrics.RequestDone(route.empty() ? "none" : route, current_.status, seconds);
  if (!context_.options.log) return;
  const std::string line = OneLine(fmt::format(
      "{:%Y-%m-%dT%H:%M:%SZ} {} {} {} {} {} bytes {:.3f} s {}", fmt::gmtime(std::time(nullptr)),
      current_.client.empty() ? peer_ : current_.client,
      current_.method.empty() ? "-" : current_.method, current_.path.empty() ? "-" : current_.path,
      current_.status, current_.sent_bytes, seconds, current_.request_id));
  fmt::print(stderr, "{}\n", line);
}

void Connection::EndExchange() {
  ReportExchange();
  Release();
  beat_timer_.cancel();
  const bool close = current_.close;
  current_ = {};
  if (in_.empty()) in_ = std::string();  // a long body has left its memory there
  if (close) return Linger();
  phase_ = Phase::kReading;
  first_ = false;
  since_ = Clock::now();
  const ReadLimits limits{context_.options.max_header_bytes, context_.options.max_body_bytes};
  reader_ = std::make_unique<RequestReader>(limits);
  SetReadTimer();
  Process();
  ProbeLater();
  WaitReadable();
}

void Connection::Linger() {
  if (end_of_input_) return Close();
  phase_ = Phase::kLingering;
  in_.clear();
  reader_.reset();
  boost::system::error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  read_timer_.expires_after(kLinger);
  read_timer_.async_wait([this, self = shared_from_this()](const boost::system::error_code& e) {
    if (!e) OnReadTimer();
  });
  WaitReadable();
}

void Connection::Lost() {
  if (phase_ == Phase::kAnswering && !current_.ended) current_.status = kClientGone;
  Close();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const bool answering = phase_ == Phase::kAnswering;
  phase_ = Phase::kClosed;
  queue_.Stop();
  read_timer_.cancel();
  beat_timer_.cancel();
  boost::system::error_code ec;
  socket_.close(ec);
  Release();
  if (!answering) return;
  ReportExchange();
  const auto gone = std::move(current_.on_gone);
  current_.on_gone = nullptr;
  current_.on_behind = nullptr;
  if (gone && !current_.ended) gone();
}

}  // namespace gemma3n::server
