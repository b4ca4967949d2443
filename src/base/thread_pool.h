// A fixed set of threads that runs data-parallel loops. Workers spin for some microseconds after a
// loop, since a decode step has hundreds of them, and then sleep in the kernel. A loop waits for no
// worker that has not begun: where other programs take the processors, the calling thread does what
// the workers don't.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace gemma3n {

class ThreadPool {
 public:
  // threads >= 1; the calling thread is one of them. 0 takes every physical core.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) on disjoint ranges that cover [0, count), each of about `grain` items (a
  // range never crosses a multiple of grain), and returns when all are done. Not reentrant: one
  // loop at a time, from one thread.
  template <typename Body>
  void ParallelFor(int64_t count, int64_t grain, const Body& body) {
    Run(count, grain, /*guided=*/false, body);
  }

  // The same in ranges that begin long and become shorter, down to about `grain` items, so that
  // each is read in one run and yet no thread waits long for the last.
  template <typename Body>
  void ParallelForGuided(int64_t count, int64_t grain, const Body& body) {
    Run(count, grain, /*guided=*/true, body);
  }

  // Physical cores of this machine that this process may use, at least 1.
  static int PhysicalCores();

 private:
  using Task = void (*)(const void* body, int64_t begin, int64_t end);
  template <typename Body>
  void Run(int64_t count, int64_t grain, bool guided, const Body& body) {
    if (count <= 0) return;
    if (workers_.empty() || count <= grain) return body(int64_t{0}, count);
    const Task task = [](const void* self, int64_t begin, int64_t end) {
      (*static_cast<const Body*>(self))(begin, end);
    };
    RunTask(count, grain < 1 ? 1 : grain, guided, task, &body);
  }
  void RunTask(int64_t count, int64_t grain, bool guided, Task task, const void* body);
  void Work();
  void Drain();

  // Of gate_: a loop is on, and workers may enter. The bits below count those inside.
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  std::vector<std::thread> workers_;
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<uint32_t> generation_{0};  // counts the loops; a change wakes the workers
  alignas(64) std::atomic<uint32_t> gate_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  int64_t count_ = 0, grain_ = 1;
  bool guided_ = false;
  Task task_ = nullptr;
  const void* body_ = nullptr;
};

}  // namespace gemma3n
