#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace gemma3n {
namespace {

// How long a thread spins before it sleeps: as long as the serial parts of a decode step.
constexpr std::chrono::microseconds kSpin{50};

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns a value of the atomic that is not `old`.
uint32_t AwaitChange(const std::atomic<uint32_t>& value, uint32_t old) {
  constexpr int kPauses = 32;  // between two looks at the clock
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < kPauses; ++i) {
      const uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      Pause();
    }
  } while (std::chrono::steady_clock::now() - start < kSpin);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

int ThreadPool::PhysicalCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return std::max(1u, std::thread::hardware_concurrency());
  }
  std::set<std::pair<int, int>> cores;  // (package, core): siblings of one core count once
  int logical = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    ++logical;
    const std::string base = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    int package = -1, core = -1;
    std::ifstream(base + "physical_package_id") >> package;
    std::ifstream(base + "core_id") >> core;
    if (core < 0) continue;
    cores.emplace(package, core);
  }
  return std::max(1, cores.empty() ? logical : static_cast<int>(cores.size()));
}

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = PhysicalCores();
  workers_.reserve(threads - 1);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::RunTask(int64_t count, int64_t grain, bool guided, Task task, const void* body) {
  count_ = count;  // the gate is shut and no one is inside: these are this thread's alone
  grain_ = grain;
  guided_ = guided;
  task_ = task;
  body_ = body;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(kOpen, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  Drain();
  uint32_t inside = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  while (inside != 0) inside = AwaitChange(gate_, inside);
}

void ThreadPool::Drain() {
  constexpr int64_t kShare = 2;  // a guided range is this part of what is a thread's of the rest
  int64_t begin = next_.load(std::memory_order_relaxed);
  while (begin < count_) {
    const int64_t range =
        guided_ ? std::max(grain_, (count_ - begin) / (kShare * threads())) : grain_;
    if (!next_.compare_exchange_weak(begin, begin + range, std::memory_order_relaxed)) continue;
    task_(body_, begin, std::min(begin + range, count_));
    begin = next_.load(std::memory_order_relaxed);
  }
}

void ThreadPool::Work() {
  uint32_t seen = 0;
  for (;;) {
    seen = AwaitChange(generation_, seen);
    if (stop_.load(std::memory_order_acquire)) return;
    uint32_t gate = gate_.load(std::memory_order_relaxed);
    while ((gate & kOpen) != 0 &&
           !gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire)) {
    }
    if ((gate & kOpen) == 0) continue;  // that loop is over
    Drain();
    if (gate_.fetch_sub(1, std::memory_order_acq_rel) == 1) gate_.notify_all();
  }
}

}  // namespace gemma3n
