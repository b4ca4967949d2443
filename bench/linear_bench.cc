// How long y = W x takes for many rows, in each arithmetic: linear_bench ROWS IN OUT THREADS
// [REPEATS]. Prints for each the least and the median time; bench/linear_compare.py runs it
// beside PyTorch.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

#include "base/thread_pool.h"
#include "bench/stored.h"
#include "kernels/dispatch.h"
#include "kernels/half.h"
#include "kernels/packed_linear.h"

namespace gemma3n {
namespace {

void Time(const char* name, double macs, int repeats, clockid_t clock,
          const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const double start = Seconds(clock);
    run();
    if (i > 0) seconds.push_back(Seconds(clock) - start);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf("%-14s %9.3f %9.3f ms  %8.1f GMAC/s\n", name, 1e3 * seconds[0], 1e3 * median,
              1e-9 * macs / seconds[0]);
  std::fflush(stdout);
}

int Main(int64_t tokens, int64_t cols, int64_t rows, int threads, int repeats) {
  const auto kernels = ChooseKernels();
  if (!kernels.ok()) return 1;
  ThreadPool pool(threads);
  const Ops ops(**kernels, pool);
  std::mt19937 rng(1);
  std::vector<float> x(tokens * cols), w(rows * cols), y(tokens * rows);
  std::vector<uint16_t> x16(x.size()), w16(w.size()), y16(y.size());
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(rng() % 2048) / 1024 - 1, x16[i] = FloatToBFloat16(x[i]);
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<float>(rng() % 2048) / 1024 - 1, w16[i] = FloatToBFloat16(w[i]);
  const Matrix wide = {DType::kF32, rows, cols, cols * 4, reinterpret_cast<std::byte*>(w.data())};
  const Matrix narrow = {DType::kBF16, rows, cols, cols * 2,
                         reinterpret_cast<std::byte*>(w16.data())};
  const ConstView in(x.data(), tokens, cols);
  const View out(y.data(), tokens, rows);
  const BFloat16View in16{x16.data(), tokens, cols, cols}, out16{y16.data(), tokens, rows, rows};
  const double macs = static_cast<double>(tokens * cols * rows);
  const char* only = std::getenv("ONLY");
  // One thread: its own processor time, which other work on the machine distorts less.
  const clockid_t clock = ClockFor(threads);
  const auto time = [&](const char* name, const std::function<void()>& run) {
    if (only == nullptr || std::string_view(only) == name) Time(name, macs, repeats, clock, run);
  };

  time("float32", [&] { ops.Linear(wide, in, out); });
  time("float32/BF16", [&] { ops.Linear(narrow, in, out); });
  const auto packed = PackedLinear::Pack(narrow, Arithmetic::kFloat32, ops);
  time("float32/packed", [&] { packed.Apply(in, out, ops); });
  const auto packed_wide = PackedLinear::Pack(wide, Arithmetic::kFloat32, ops);
  time("float32/wide", [&] { packed_wide.Apply(in, out, ops); });
  const auto bfloat16 = PackedLinear::Pack(narrow, Arithmetic::kBFloat16, ops);
  time("bfloat16", [&] { bfloat16.Apply(in, out, ops); });
  time("bfloat16/io", [&] { bfloat16.Apply(in16, out16, ops); });
  const auto int8 = PackedLinear::Pack(narrow, Arithmetic::kInt8, ops);
  time("int8", [&] { int8.Apply(in, out, ops); });
  time("int8/io", [&] { int8.Apply(in16, out16, ops); });
  return 0;
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: linear_bench ROWS IN OUT THREADS [REPEATS]\n");
    return 2;
  }
  return gemma3n::Main(std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]),
                       std::atoi(argv[4]), argc > 5 ? std::atoi(argv[5]) : 7);
}
