#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace gemma3n {
namespace {

TEST(ThreadPool, CoversEveryItemOnceWhateverTheGrain) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t count : {0, 1, 2, 7, 64, 1000}) {
      for (int64_t grain : {0, 1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> hits(count);
        const auto hit = [&](int64_t begin, int64_t end) {
          ASSERT_LT(begin, end);
          for (int64_t i = begin; i < end; ++i) hits[i].fetch_add(1);
        };
        pool.ParallelFor(count, grain, hit);
        for (int64_t i = 0; i < count; ++i) ASSERT_EQ(hits[i].load(), 1) << i << " of " << count;
        pool.ParallelForGuided(count, grain, hit);
        for (int64_t i = 0; i < count; ++i) ASSERT_EQ(hits[i].load(), 2) << i << " of " << count;
      }
    }
  }
}

TEST(ThreadPool, GuidedRangesBecomeShorterDownToTheGrain) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::map<int64_t, int64_t> ranges;  // begin to length
  pool.ParallelForGuided(1000, 10, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    ranges[begin] = end - begin;
  });
  EXPECT_EQ(ranges.begin()->second, 250);  // half of a thread's half
  int64_t before = 250;
  for (const auto& [begin, length] : ranges) {
    EXPECT_LE(length, before) << begin;
    EXPECT_GE(length, std::min<int64_t>(10, 1000 - begin)) << begin;
    before = length;
  }
  EXPECT_LT(ranges.size(), 25u);
}

TEST(ThreadPool, ManyShortLoopsInARow) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  for (int loop = 0; loop < 5000; ++loop) {
    pool.ParallelFor(
        4, 1, [&](int64_t begin, int64_t) { sum.fetch_add(begin, std::memory_order_relaxed); });
  }
  EXPECT_EQ(sum.load(), 5000 * 6);
}

TEST(ThreadPool, IdleThreadsUseNoProcessorTime) {
  ThreadPool pool(4);
  pool.ParallelFor(4, 1, [](int64_t, int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto used = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec * 1e-6;
  };
  const double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(used() - before, 0.03);
}

TEST(ThreadPool, DefaultIsAtLeastOneCore) {
  EXPECT_GE(ThreadPool::PhysicalCores(), 1);
  ThreadPool pool(0);
  EXPECT_EQ(pool.threads(), ThreadPool::PhysicalCores());
}

}  // namespace
}  // namespace gemma3n
