#include "server/api/transcription_pool.h"

#include <utility>

namespace gemma3n::server {

bool TranscriptionPool::TryStart(std::shared_ptr<TranscriptionRun> run) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    std::erase_if(runs_, [](const auto& weak) { return weak.expired(); });
    runs_.push_back(run);
  }
  return workers_.TryPost([run = std::move(run)] { run->Run(); });
}

void TranscriptionPool::Stop() {
  std::vector<std::weak_ptr<TranscriptionRun>> runs;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    runs.swap(runs_);
  }
  for (const auto& weak : runs) {
    if (const auto run = weak.lock()) run->Stop();
  }
  workers_.Stop();
}

}  // namespace gemma3n::server
