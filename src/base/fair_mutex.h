// A mutex for two kinds of work that both come again and again: while both wait they take turns,
// and each kind is served in the order it came. std::mutex may let whoever just unlocked it have it
// again for as long as it likes.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace gemma3n {

class FairMutex {
 public:
  enum class Lane { kSteps, kTowers };  // forward passes; pictures and clips to soft tokens

  void Lock(Lane lane) {
    std::unique_lock lock(mutex_);
    Queue& queue = queues_[static_cast<size_t>(lane)];
    const uint64_t ticket = queue.next++;
    if (!held_) {
      Grant(lane);
    } else {
      changed_.wait(lock, [&] { return queue.served > ticket; });
    }
  }

  void Unlock() {
    const std::lock_guard lock(mutex_);
    const auto other = last_ == Lane::kSteps ? Lane::kTowers : Lane::kSteps;
    held_ = false;
    for (const Lane lane : {other, last_}) {
      if (held_ || !queues_[static_cast<size_t>(lane)].waits()) continue;
      Grant(lane);
      changed_.notify_all();
    }
  }

  // How many stand in line.
  uint64_t waiting() {
    const std::lock_guard lock(mutex_);
    uint64_t count = 0;
    for (const Queue& queue : queues_) count += queue.next - queue.served;
    return count;
  }

  // Holds it for one lane until the end of the scope.
  class Guard {
   public:
    Guard(FairMutex& mutex, Lane lane) : mutex_(mutex) { mutex_.Lock(lane); }
    ~Guard() { mutex_.Unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    FairMutex& mutex_;
  };

 private:
  struct Queue {
    uint64_t next = 0, served = 0;  // tickets
    bool waits() const { return served < next; }
  };

  void Grant(Lane lane) {
    held_ = true;
    last_ = lane;
    ++queues_[static_cast<size_t>(lane)].served;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Queue, 2> queues_;
  bool held_ = false;
  Lane last_ = Lane::kSteps;
};

}  // namespace gemma3n
