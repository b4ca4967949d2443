// What this processor can do at most: multiply-adds per second of each instruction that the kernels
// use, and bytes read per second. One core is measured by its thread's own processor time, so that
// other work on the machine counts little; more by the clock. The best of several short runs.
//
//   peak_bench                one core, a line per figure
//   peak_bench --json N       1 and N threads: the best rate of each kind and the reads of memory
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <span>
#include <thread>

#include "base/buffer.h"
#include "peak_loops.h"

namespace gemma3n::bench {
namespace {

double ThreadSeconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double ClockSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Giga-units per second, of `work` units that run(thread) does on each of `threads`.
template <class Run>
double Best(double work, int threads, int runs, const Run& run) {
  double best = 1e30;
  if (threads == 1) {
    for (int i = 0; i < runs; ++i) {
      const double start = ThreadSeconds();
      run(0);
      best = std::min(best, ThreadSeconds() - start);
    }
    return 1e-9 * work / best;
  }
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(threads));
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([&, t] {
      for (int i = 0; i < runs; ++i) {
        pthread_barrier_wait(&barrier);
        const double start = ClockSeconds();
        run(t);
        pthread_barrier_wait(&barrier);
        if (t == 0) best = std::min(best, ClockSeconds() - start);
      }
    });
  }
  for (auto& thread : team) thread.join();
  pthread_barrier_destroy(&barrier);
  return 1e-9 * work * threads / best;
}

// GB/s of `threads` that each read their own `bytes`, in huge pages where the system has them, over
// and over when those are few. 0 where there is no memory.
double ReadBandwidth(int64_t bytes, int threads, int runs) {
  const size_t size = static_cast<size_t>(bytes) / sizeof(uint64_t);
  auto memory = Buffer::Allocate(static_cast<size_t>(bytes * threads), "what is read");
  if (!memory.ok()) return 0;
  memory->WishHugePages();
  const std::span<uint64_t> words(memory->as<uint64_t>(), size * static_cast<size_t>(threads));
  std::fill(words.begin(), words.end(), 1);
  const int64_t passes = std::max<int64_t>(1, (int64_t{1} << 26) / bytes);
  double best = 0;
  for (size_t streams : {1, 2, 4}) {
    best = std::max(best, Best(static_cast<double>(bytes * passes), threads, runs, [&](int thread) {
                      uint64_t sum = 0;
                      for (int64_t p = 0; p < passes; ++p) {
                        sum += ReadLines(words.data() + size * static_cast<size_t>(thread), size,
                                         streams);
                      }
                      volatile uint64_t sink = sum;
                      static_cast<void>(sink);
                    }));
  }
  return best;
}

void PrintLines() {
  for (const PeakLoop& loop : PeakLoops()) {
    std::printf("%-26s %8.1f GMAC/s\n", loop.name,
                Best(loop.macs, 1, 40, [&](int) { loop.run(); }));
  }
  for (int64_t bytes : {int64_t{1} << 15, int64_t{1} << 20, int64_t{1} << 24, int64_t{1} << 28}) {
    std::printf("read %6.1f MB             %8.1f GB/s\n", 1e-6 * static_cast<double>(bytes),
                ReadBandwidth(bytes, 1, 20));
  }
}

void PrintJson(int most_threads) {
  std::printf("[");
  for (int threads = 1; threads <= most_threads; threads += std::max(1, most_threads - 1)) {
    std::map<std::string, double> best;
    for (const PeakLoop& loop : PeakLoops()) {
      double& rate = best[loop.kind];
      rate = std::max(rate, Best(loop.macs, threads, 20, [&](int) { loop.run(); }));
    }
    std::printf("%s{\"threads\": %d", threads == 1 ? "" : ",\n ", threads);
    for (const auto& [kind, rate] : best) {
      std::printf(", \"%s_gmacs\": %.1f", kind.c_str(), rate);
    }
    std::printf(", \"read_gbytes\": %.2f}", ReadBandwidth(int64_t{1} << 28, threads, 8));
  }
  std::printf("]\n");
}

}  // namespace
}  // namespace gemma3n::bench

int main(int argc, char** argv) {
  const int threads = argc == 3 && std::strcmp(argv[1], "--json") == 0 ? std::atoi(argv[2]) : 0;
  if (argc > 1 && (threads < 1 || threads > 1024)) {
    std::fprintf(stderr, "usage: peak_bench [--json THREADS]\n");
    return 2;
  }
  if (threads > 0) {
    gemma3n::bench::PrintJson(threads);
  } else {
    gemma3n::bench::PrintLines();
  }
  return 0;
}
