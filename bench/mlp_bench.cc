// How long a gated MLP takes for many rows of x, stage by stage and at one go, and how far the two
// are apart: mlp_bench ROWS HIDDEN WIDTH THREADS [TYPE]. First without, then with a gate cut off at
// 95 %. Prints least times.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "bench/stored.h"
#include "kernels/dispatch.h"
#include "kernels/gated_linear.h"

namespace gemma3n {
namespace {

constexpr int kRepeats = 7;

int Main(int64_t tokens, int64_t hidden, int64_t width, int threads, DType dtype) {
  const auto kernels = ChooseKernels();
  if (!kernels.ok()) return 1;
  ThreadPool pool(threads);
  const Ops ops(**kernels, pool, Precision::kAuto);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  const Stored gate(dtype, width, hidden, rng), up(dtype, width, hidden, rng),
      down(dtype, hidden, width, rng);
  std::vector<float> x(tokens * hidden), gates(tokens * width), ups(tokens * width),
      staged(tokens * hidden), whole(tokens * hidden);
  for (float& v : x) v = normal(rng);
  const ConstView in(x.data(), tokens, hidden);
  const View g(gates.data(), tokens, width), u(ups.data(), tokens, width);
  const clockid_t clock = ClockFor(threads);
  for (const float z : {0.0f, 1.6448536f}) {
    const GatedMlp mlp = {gate.matrix, up.matrix, down.matrix, z};
    double products = 1e9, cut = 1e9, last = 1e9, once = 1e9;
    for (int i = 0; i < kRepeats; ++i) {
      const double start = Seconds(clock);
      ops.LinearEach({{gate.matrix, g}, {up.matrix, u}}, in);
      const double multiplied = Seconds(clock);
      if (z != 0) {
        ops.ForRows(tokens, [&](int64_t t) { (*kernels)->gaussian_topk(g.row(t), width, z); });
      }
      const double chosen = Seconds(clock);
      ops.LinearGated(down.matrix, g, u, View(staged.data(), tokens, hidden));
      const double end = Seconds(clock);
      products = std::min(products, multiplied - start);
      cut = std::min(cut, chosen - multiplied);
      last = std::min(last, end - chosen);
      if (!GatedLinear(mlp, in, View(whole.data(), tokens, hidden), ops)) {
        std::printf("%s does not offer it\n", (*kernels)->name);
        return 1;
      }
      once = std::min(once, Seconds(clock) - end);
    }
    double difference = 0, magnitude = 0;
    for (size_t i = 0; i < whole.size(); ++i) {
      difference += (whole[i] - staged[i]) * (whole[i] - staged[i]);
      magnitude += staged[i] * staged[i];
    }
    std::printf(
        "z %.2f: gate and up %.2f, top-k %.2f, gelu and down %.2f ms; at one go %.2f ms; apart "
        "%.1e\n",
        z, 1e3 * products, 1e3 * cut, 1e3 * last, 1e3 * once, std::sqrt(difference / magnitude));
  }
  return 0;
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: mlp_bench ROWS HIDDEN WIDTH THREADS [TYPE]\n");
    return 2;
  }
  const auto dtype = gemma3n::DTypeFromName(argc > 5 ? argv[5] : "Q4_0");
  if (!dtype) return 2;
  return gemma3n::Main(std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]),
                       std::atoi(argv[4]), *dtype);
}
