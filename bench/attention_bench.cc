// Attention as a layer of E4B has it: two K/V heads of 256 values with four query heads each.
// Processor time of one thread.
//   attention_bench [table]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "base/buffer.h"
#include "kernels/attention.h"
#include "kernels/dispatch.h"

namespace gemma3n {
namespace {

constexpr int64_t kDim = 256, kHeads = 4, kKvHeads = 2;

double ThreadSeconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The least of several runs.
double Least(const std::function<void()>& run) {
  double least = 1e9, total = 0;
  for (int i = 0; i < 4 || (total < 0.5 && i < 50); ++i) {
    const double start = ThreadSeconds();
    run();
    const double taken = ThreadSeconds() - start;
    least = std::min(least, taken);
    total += taken;
  }
  return least;
}

// Rows at positions past - rows .. past - 1 over a cache of `past` positions.
void Bench(const KernelTable& table, DType dtype, int64_t rows, int64_t past, int64_t window,
           bool many) {
  const int64_t row = RowBytes(dtype, kDim), ring = past * row;
  Buffer memory = std::move(Buffer::Allocate(static_cast<size_t>(4 * ring), "bench").value());
  auto* bytes = memory.as<std::byte>();
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(kDim), q(static_cast<size_t>(rows * kKvHeads * kHeads * kDim)),
      out(q.size());
  for (float& v : q) v = normal(rng) / 16;
  for (int64_t p = 0; p < 4 * past; ++p) {
    if (p < 64) {
      for (float& v : x) v = normal(rng);
      StoreCacheRow(table, dtype, x.data(), bytes + p * row, kDim);
    } else {
      std::memcpy(bytes + p * row, bytes + p % 64 * row, static_cast<size_t>(row));
    }
  }
  const int64_t piece = many ? kManyRows : kAttentionRows;
  Buffer scratch =
      std::move(Buffer::Allocate(
                    static_cast<size_t>(4 * std::max(AttendManyFloats(table, piece, kHeads, kDim),
                                                     AttentionScratch(16, kHeads, kDim))),
                    "bench")
                    .value());
  const double seconds = Least([&] {
    for (int64_t r = 0; r < rows; r += piece) {
      for (int64_t h = 0; h < kKvHeads; ++h) {
        AttentionArgs args;
        args.kv = {dtype, kDim, row, past, bytes + h * ring, bytes + (2 + h) * ring};
        args.position = past - rows + r, args.rows = std::min(piece, rows - r);
        args.window = window, args.heads = kHeads;
        args.q_stride = args.out_stride = kKvHeads * kHeads * kDim;
        args.q = q.data() + r * args.q_stride + h * kHeads * kDim;
        args.out = out.data() + r * args.q_stride + h * kHeads * kDim;
        if (many) {
          AttendMany(table, args, scratch.as<float>());
        } else {
          Attend(table, args, scratch.as<float>());
        }
      }
    }
  });
  double seen = 0;
  for (int64_t r = 0; r < rows; ++r)
    seen += static_cast<double>(std::min(window, past - rows + r + 1));
  const double macs = seen * kKvHeads * kHeads * kDim * 2;
  const double read = static_cast<double>(std::min(past, window + rows - 1) * 4 * row);
  std::printf(
      "%-10s %-5s %4ld rows after %5ld, window %7ld%s: %9.3f ms  %7.1f GMAC/s  %6.1f GB/s\n",
      table.name, Name(dtype), static_cast<long>(rows), static_cast<long>(past),
      static_cast<long>(window), many ? ", many" : "", 1e3 * seconds, 1e-9 * macs / seconds,
      1e-9 * read / seconds);
  std::fflush(stdout);
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  using namespace gemma3n;
  for (const KernelTable* table : AvailableKernels()) {
    if (argc > 1 ? std::strcmp(argv[1], table->name) != 0 : table != AvailableKernels().back())
      continue;
    for (DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
      for (int64_t past : {512, 4096, 16384, 32768}) Bench(*table, dtype, 1, past, 1 << 20, false);
    }
    for (int64_t rows : {4, 8}) Bench(*table, DType::kF16, rows, 4096, 1 << 20, false);
    for (DType dtype : {DType::kF32, DType::kF16}) {
      for (bool many : {false, true}) {
        for (int64_t past : {512, 4096, 16384}) Bench(*table, dtype, 512, past, 1 << 20, many);
        Bench(*table, dtype, 512, 4096, 512, many);
      }
    }
  }
  return 0;
}
