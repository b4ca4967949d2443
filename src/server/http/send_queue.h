// Bytes on their way to a client, with a limit on how long it may take none.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace gemma3n::server {

class SendQueue {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  // Called on the socket's executor after bytes were taken, with how many; and when the client is
  // gone (an error, or nothing taken for `patience`).
  struct Events {
    std::function<void(size_t)> sent;
    std::function<void()> lost;
  };
  SendQueue(Socket& socket, std::chrono::duration<double> patience);

  // owner: kept alive by what is under way, and owns this queue.
  void Start(std::weak_ptr<void> owner, Events events);
  void Add(std::string bytes);
  void Stop();  // no more events

  std::chrono::steady_clock::time_point last_progress() const { return progress_; }
  int64_t waiting() const { return static_cast<int64_t>(next_.size() + now_.size() - offset_); }

 private:
  void SendSome();
  void OnSent(size_t bytes);
  void SetTimer();

  Socket& socket_;
  const std::chrono::duration<double> patience_;
  std::weak_ptr<void> owner_;
  Events events_;
  std::string now_, next_;  // being sent, and behind it
  size_t offset_ = 0;       // of now_, sent
  bool sending_ = false, stopped_ = false;
  std::chrono::steady_clock::time_point progress_;
  boost::asio::steady_timer timer_;
  bool timing_ = false;
};

}  // namespace gemma3n::server
