#include "cli/read_rate.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace gemma3n::cli {
namespace {

constexpr size_t kRuns = 4, kLine = 64;

uint64_t Word(const std::byte* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// One word of each cache line, from the quarters of the bytes in turn.
uint64_t ReadLines(std::span<const std::byte> bytes) {
  const size_t run = bytes.size() / kRuns / kLine * kLine;
  const std::byte* p = bytes.data();
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i < run; i += kLine) {
    a += Word(p + i), b += Word(p + run + i), c += Word(p + 2 * run + i),
        d += Word(p + 3 * run + i);
  }
  return a + b + c + d;
}

}  // namespace

double ReadRate(std::span<const std::byte> bytes, int threads) {
  using Clock = std::chrono::steady_clock;
  if (bytes.size() < size_t{1} << 20) return 0;
  const auto count = static_cast<size_t>(std::max(1, threads));
  const size_t share = bytes.size() / count;
  std::atomic<uint64_t> sink{0};  // keeps the reads
  double best = 0;
  constexpr int kPasses = 4;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = Clock::now();
    std::vector<std::jthread> workers;
    for (size_t t = 1; t < count; ++t) {
      workers.emplace_back([&, t] { sink += ReadLines(bytes.subspan(t * share, share)); });
    }
    sink += ReadLines(bytes.first(share));
    workers.clear();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (pass > 0) best = std::max(best, static_cast<double>(share * count) / seconds);
  }
  return best;
}

}  // namespace gemma3n::cli
