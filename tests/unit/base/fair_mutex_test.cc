#include "base/fair_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace gemma3n {
namespace {

using namespace std::chrono_literals;
using Lane = FairMutex::Lane;

TEST(FairMutex, KindsTakeTurnsAndEachKindComesInOrder) {
  FairMutex mutex;
  std::string order;  // guarded by mutex
  std::vector<std::thread> threads;
  {
    const FairMutex::Guard held(mutex, Lane::kSteps);
    for (const char name : std::string("abcXY")) {
      const Lane lane = name < 'a' ? Lane::kTowers : Lane::kSteps;
      threads.emplace_back([&, name, lane] {
        const FairMutex::Guard guard(mutex, lane);
        order += name;
      });
      while (mutex.waiting() < threads.size()) std::this_thread::yield();
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, "XaYbc");
}

TEST(FairMutex, WhoComesBackAtOnceDoesNotShutOthersOut) {
  FairMutex mutex;
  std::atomic<bool> stop{false};
  std::atomic<int> steps{0};
  std::thread greedy([&] {
    while (!stop) {
      const FairMutex::Guard guard(mutex, Lane::kSteps);
      ++steps;
      std::this_thread::sleep_for(1ms);
    }
  });
  while (steps == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    const int before = steps;
    const FairMutex::Guard guard(mutex, Lane::kTowers);
    EXPECT_LE(steps - before, 2);
  }
  stop = true;
  greedy.join();
}

TEST(FairMutex, OneAtATime) {
  FairMutex mutex;
  int count = 0;  // guarded by mutex
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const FairMutex::Guard guard(mutex, t % 2 == 0 ? Lane::kSteps : Lane::kTowers);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 8000);
}

}  // namespace
}  // namespace gemma3n
