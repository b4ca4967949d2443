// A few threads for handlers that may block, behind a queue that ends.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gemma3n::server {

class WorkerPool {
 public:
  WorkerPool(int threads, size_t most_waiting);
  ~WorkerPool() { Stop(); }

  // False when as many wait already as may, or after Stop.
  bool TryPost(std::function<void()> job);

  // Drops what waits and returns when what runs has ended.
  void Stop();

 private:
  void Run();

  const size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gemma3n::server
