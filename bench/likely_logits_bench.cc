// What the largest logits of a model cost without the others: likely_logits_bench MODEL THREADS
// [STATES].
// Prints the copy's time and size, and for 1 and 64 of them how long they take beside all logits,
// how many were computed, and whether any of the largest were missed, over random hidden states.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

#include "bench/stored.h"
#include "kernels/dispatch.h"
#include "model/text/likely_logits.h"
#include "model/text/logits.h"
#include "model/weights.h"

namespace gemma3n {
namespace {

Status Main(const char* path, int threads, int states) {
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  G3N_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  G3N_ASSIGN_OR_RETURN(const TextWeights weights, BindTextWeights(checkpoint, *kernels));
  const TextConfig& config = checkpoint.config().text;
  ThreadPool pool(threads);
  const Ops ops(*kernels, pool, Precision::kAuto);
  G3N_ASSIGN_OR_RETURN(
      Arena arena,
      Arena::Create(static_cast<size_t>(LikelyLogitsFloats(config.vocab_size)) * sizeof(float)));
  const Probe probe;
  const StageContext ctx{config, ops, arena, probe};
  const clockid_t clock = ClockFor(threads);
  const auto time = [&](const auto& work) {
    const double start = Seconds(clock);
    if (const Status status = work(); !status.ok()) std::abort();
    return 1e3 * (Seconds(clock) - start);
  };

  const Matrix& w = weights.lm_head;
  std::vector<float> all(static_cast<size_t>(w.rows)), likely(all.size());
  std::vector<float> x(static_cast<size_t>(w.cols));
  const ConstView hidden(x.data(), 1, w.cols);
  CoarseRows coarse(w);
  const double warm = time([&] { return Logits(w, hidden, View(all.data(), 1, w.rows), ctx); });
  const double copy = time([&] {
    coarse.Make(ops);
    return OkStatus();
  });
  std::printf("%s, %lld x %lld: read once in %.1f ms; copy of %.1f MB in %.1f ms\n",
              Traits(w.dtype).name, static_cast<long long>(w.rows), static_cast<long long>(w.cols),
              warm, 1e-6 * static_cast<double>(coarse.bytes()), copy);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  for (const int64_t k : {int64_t{1}, int64_t{64}}) {
    double full = 1e9, some = 1e9, most = 0;
    int64_t computed = 0, missed = 0;
    for (int i = 0; i < states; ++i) {
      for (size_t c = 0; c < x.size(); ++c) x[c] = weights.norm[c] * normal(rng);
      full =
          std::min(full, time([&] { return Logits(w, hidden, View(all.data(), 1, w.rows), ctx); }));
      const double ms = time(
          [&] { return LikelyLogits(w, coarse, hidden, k, View(likely.data(), 1, w.rows), ctx); });
      some = std::min(some, ms);
      most = std::max(most, ms);
      std::vector<float> order = all;
      std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
      const float kth = order[static_cast<size_t>(k - 1)];
      for (size_t r = 0; r < all.size(); ++r) {
        computed += std::isfinite(likely[r]) ? 1 : 0;
        missed += all[r] >= kth && likely[r] != all[r] ? 1 : 0;
      }
    }
    std::printf("the largest %lld: %.2f to %.2f ms, all %.2f ms; %lld computed, %lld missed\n",
                static_cast<long long>(k), some, most, full,
                static_cast<long long>(computed / states), static_cast<long long>(missed));
  }
  return OkStatus();
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: likely_logits_bench MODEL THREADS [STATES]\n");
    return 2;
  }
  const gemma3n::Status status =
      gemma3n::Main(argv[1], std::atoi(argv[2]), argc > 3 ? std::atoi(argv[3]) : 20);
  if (status.ok()) return 0;
  std::fprintf(stderr, "likely_logits_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}
