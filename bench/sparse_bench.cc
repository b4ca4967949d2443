// How long the second half of a gated MLP takes for many rows of x whose gate is mostly zeros, by
// leaving them out and densely: sparse_bench ROWS HIDDEN WIDTH THREADS [SHARE [TYPE]]. SHARE of the
// gate is left (0.05). Prints the least time of each stage, and how far the results are from
// float32's (root mean square).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "bench/stored.h"
#include "kernels/dispatch.h"
#include "kernels/sparse_linear.h"

namespace gemma3n {
namespace {

constexpr int kRepeats = 5;

int Main(int64_t tokens, int64_t hidden, int64_t width, int threads, float share, DType dtype) {
  const auto kernels = ChooseKernels();
  if (!kernels.ok()) return 1;
  ThreadPool pool(threads);
  const Ops exact(**kernels, pool, Precision::kFloat32), fast(**kernels, pool, Precision::kAuto);
  auto arena = Arena::Create(static_cast<size_t>(16 * tokens * width));
  if (!arena.ok()) return 1;
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform;
  const Stored up(dtype, width, hidden, rng), down(dtype, hidden, width, rng);
  std::vector<float> x(tokens * hidden), gate(tokens * width), spoilt, product(tokens * width);
  std::vector<float> expected(tokens * hidden), y(tokens * hidden);
  for (float& v : x) v = normal(rng);
  for (float& v : gate) v = uniform(rng) < share ? std::fabs(normal(rng)) : 0.0f;
  const ConstView in(x.data(), tokens, hidden);
  const View out(y.data(), tokens, hidden), cut(gate.data(), tokens, width),
      all(product.data(), tokens, width);
  const clockid_t clock = ClockFor(threads);
  struct Stage {
    const char* name;
    double least = 1e9;
  } stages[] = {{"find"}, {"up"}, {"gelu"}, {"down"}, {"dense up"}, {"dense down"}};
  const auto time = [&](int stage, const auto& run) {
    const double start = Seconds(clock);
    run();
    stages[stage].least = std::min(stages[stage].least, Seconds(clock) - start);
  };
  const auto error = [&] {
    double difference = 0, magnitude = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      difference += (y[i] - expected[i]) * (y[i] - expected[i]);
      magnitude += expected[i] * expected[i];
    }
    return std::sqrt(difference / magnitude);
  };
  spoilt = gate;
  exact.Linear(up.matrix, in, all);
  exact.LinearGated(down.matrix, View(spoilt.data(), tokens, width), all,
                    View(expected.data(), tokens, hidden));
  double sparse_error = 0, dense_error = 0;
  for (int i = 0; i < kRepeats; ++i) {
    Arena::Scope scope(*arena);
    spoilt = gate;
    SparseRows left;
    time(0, [&] { left = FindNonZero(View(spoilt.data(), tokens, width), *arena, fast); });
    time(1, [&] { SampledLinear(up.matrix, in, left, product.data(), fast); });
    time(2, [&] { (*kernels)->gelu_mul(left.values, product.data(), left.values, left.count()); });
    time(3, [&] { SparseLinear(down.matrix, left, out, fast); });
    sparse_error = error();
    spoilt = gate;
    time(4, [&] { fast.Linear(up.matrix, in, all); });
    time(5, [&] { fast.LinearGated(down.matrix, View(spoilt.data(), tokens, width), all, out); });
    dense_error = error();
  }
  for (const Stage& stage : stages) std::printf("%-10s %9.3f ms\n", stage.name, 1e3 * stage.least);
  std::printf("errors: sparse %.2e, dense %.2e\n", sparse_error, dense_error);
  return 0;
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: sparse_bench ROWS HIDDEN WIDTH THREADS [SHARE [TYPE]]\n");
    return 2;
  }
  const auto dtype = gemma3n::DTypeFromName(argc > 6 ? argv[6] : "Q4_0");
  if (!dtype) return 2;
  return gemma3n::Main(std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]),
                       std::atoi(argv[4]),
                       argc > 5 ? static_cast<float>(std::atof(argv[5])) : 0.05f, *dtype);
}
