// Threads for transcriptions: a long sound takes minutes, and other requests must find a thread
// too.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "server/api/transcription_run.h"
#include "server/http/worker_pool.h"

namespace gemma3n::server {

class TranscriptionPool {
 public:
  TranscriptionPool(int threads, size_t most_waiting) : workers_(threads, most_waiting) {}
  ~TranscriptionPool() { Stop(); }

  // False when as many wait already as may, or after Stop.
  bool TryStart(std::shared_ptr<TranscriptionRun> run);

  // Ends what runs and drops what waits; returns when no thread uses the scheduler any more, which
  // must still be there.
  void Stop();

 private:
  std::mutex mutex_;
  bool stopped_ = false;
  std::vector<std::weak_ptr<TranscriptionRun>> runs_;  // those that may still run
  WorkerPool workers_;
};

}  // namespace gemma3n::server
