// How long y = W x takes for many rows of x, the weights as they are stored, in both precisions:
// many_rows_bench ROWS IN OUT THREADS [TYPE...]. Prints the least and the median time, and the
// relative error (root mean square) against float32.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "bench/stored.h"
#include "kernels/dispatch.h"
#include "kernels/ops.h"
#include "kernels/quantize.h"

namespace gemma3n {
namespace {

void Time(const std::string& name, double macs, int repeats, clockid_t clock,
          const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const double start = Seconds(clock);
    run();
    if (i > 0) seconds.push_back(Seconds(clock) - start);
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-14s %9.3f %9.3f ms  %8.1f GMAC/s", name.c_str(), 1e3 * seconds[0],
              1e3 * seconds[seconds.size() / 2], 1e-9 * macs / seconds[0]);
}

int Main(int64_t tokens, int64_t cols, int64_t rows, int threads,
         const std::vector<std::string>& types) {
  const auto kernels = ChooseKernels();
  if (!kernels.ok()) return 1;
  ThreadPool pool(threads);
  const Ops exact(**kernels, pool, Precision::kFloat32), fast(**kernels, pool, Precision::kAuto);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * cols), y_(tokens * rows + 16), expected(tokens * rows), row(cols);
  float* const y = y_.data() + (64 - reinterpret_cast<uintptr_t>(y_.data()) % 64) % 64 / 4;
  for (float& v : x) v = normal(rng);
  const ConstView in(x.data(), tokens, cols);
  const double macs = static_cast<double>(tokens * cols * rows);
  // One thread: its own processor time, which other work on the machine distorts less.
  const clockid_t clock = ClockFor(threads);
  for (const std::string& type : types) {
    const auto dtype = DTypeFromName(type);
    if (!dtype) return 2;
    const int64_t row_bytes = RowBytes(*dtype, cols);
    std::vector<std::byte> w(rows * row_bytes);
    for (int64_t r = 0; r < rows; ++r) {
      if (r < 64) {
        for (float& v : row) v = 0.02f * normal(rng);
        QuantizeRow(*dtype, row.data(), w.data() + r * row_bytes, cols);
      } else {
        std::memcpy(w.data() + r * row_bytes, w.data() + r % 64 * row_bytes, row_bytes);
      }
    }
    const Matrix matrix = {*dtype, rows, cols, row_bytes, w.data()};
    Time(type, macs, 9, clock, [&] { fast.Linear(matrix, in, View(y, tokens, rows)); });
    exact.Linear(matrix.RowSlice(0, std::min<int64_t>(rows, 64)), in,
                 View(expected.data(), tokens, std::min<int64_t>(rows, 64), rows));
    double error = 0, magnitude = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = 0; r < std::min<int64_t>(rows, 64); ++r) {
        const double e = expected[t * rows + r];
        error += (y[t * rows + r] - e) * (y[t * rows + r] - e);
        magnitude += e * e;
      }
    }
    std::printf("  error %.2e\n", std::sqrt(error / magnitude));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: many_rows_bench ROWS IN OUT THREADS [TYPE...]\n");
    return 2;
  }
  std::vector<std::string> types(argv + 5, argv + argc);
  if (types.empty()) types = {"Q4_0", "Q8_0", "BF16", "Q4_K", "Q6_K", "F16", "F32"};
  return gemma3n::Main(std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]),
                       std::atoi(argv[4]), types);
}
