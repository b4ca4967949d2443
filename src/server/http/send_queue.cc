#include "server/http/send_queue.h"

#include <boost/asio/buffer.hpp>
#include <utility>

namespace gemma3n::server {
namespace {

constexpr size_t kKept = 16 << 10;  // of memory, for the next answer

}  // namespace

SendQueue::SendQueue(Socket& socket, std::chrono::duration<double> patience)
    : socket_(socket), patience_(patience), timer_(socket.get_executor()) {}

void SendQueue::Start(std::weak_ptr<void> owner, Events events) {
  owner_ = std::move(owner);
  events_ = std::move(events);
}

void SendQueue::Stop() {
  stopped_ = true;  // the bytes stay: the last write may still be reading them
  timer_.cancel();
}

void SendQueue::Add(std::string bytes) {
  if (stopped_) return;
  if (next_.empty()) {
    next_ = std::move(bytes);
  } else {
    next_ += bytes;
  }
  if (sending_) return;
  progress_ = std::chrono::steady_clock::now();
  SendSome();
  SetTimer();
}

void SendQueue::SendSome() {
  if (offset_ == now_.size()) {
    now_.clear();
    now_.swap(next_);
    offset_ = 0;
  }
  sending_ = !now_.empty();
  if (!sending_) {
    if (now_.capacity() > kKept) now_ = std::string();
    if (next_.capacity() > kKept) next_ = std::string();
    return;
  }
  socket_.async_write_some(
      boost::asio::buffer(now_.data() + offset_, now_.size() - offset_),
      [this, owner = owner_.lock()](const boost::system::error_code& ec, size_t bytes) {
        if (stopped_) return;
        if (ec) {
          events_.lost();
        } else {
          OnSent(bytes);
        }
      });
}

void SendQueue::OnSent(size_t bytes) {
  offset_ += bytes;
  progress_ = std::chrono::steady_clock::now();
  SendSome();
  events_.sent(bytes);
}

void SendQueue::SetTimer() {
  if (timing_) return;
  timing_ = true;
  timer_.expires_at(progress_ +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience_));
  timer_.async_wait([this, owner = owner_.lock()](const boost::system::error_code&) {
    timing_ = false;
    if (stopped_ || !sending_) return;
    if (std::chrono::steady_clock::now() - progress_ >= patience_) {
      events_.lost();
    } else {
      SetTimer();
    }
  });
}

}  // namespace gemma3n::server
