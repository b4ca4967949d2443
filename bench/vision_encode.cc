// The picture tower by the clock: vision_encode MODEL float32|bfloat16|int8 [THREADS]
// Each line of standard input is a picture's size; for each, one picture is encoded and a line of
// JSON tells seconds and memory. "dump FILE" writes the last soft tokens, float32 [256, D].
// bench/vision_compare.py drives it beside timm.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "model/vision/vision_tower.h"

namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Megabytes of memory of our own now (no mapped files), or at the highest.
double Anonymous() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("RssAnon:")) return std::strtod(line.c_str() + 8, nullptr) / 1024;
  }
  return 0;
}

int Fail(const gemma3n::Status& status) {
  fmt::print(stderr, "{}\n", status.message());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: vision_encode MODEL float32|bfloat16|int8 [THREADS]\n");
    return 2;
  }
  const std::string way = argv[2];
  const auto arithmetic = way == "int8"       ? gemma3n::Arithmetic::kInt8
                          : way == "bfloat16" ? gemma3n::Arithmetic::kBFloat16
                                              : gemma3n::Arithmetic::kFloat32;
  gemma3n::ThreadPool pool(argc > 3 ? std::atoi(argv[3]) : 0);
  const auto kernels = gemma3n::ChooseKernels();
  if (!kernels.ok()) return Fail(kernels.status());
  const gemma3n::Ops ops(**kernels, pool);
  const auto checkpoint = gemma3n::Checkpoint::Open(argv[1]);
  if (!checkpoint.ok()) return Fail(checkpoint.status());
  const double before = Anonymous();
  const auto start = Clock::now();
  const auto tower = gemma3n::VisionTower::Bind(*checkpoint, arithmetic, ops);
  if (!tower.ok()) return Fail(tower.status());
  const double bound = Anonymous();
  fmt::print(
      "{{\"kernels\": \"{}\", \"threads\": {}, \"bind_s\": {:.3f}, \"weights_mb\": {:.1f}}}\n",
      (*kernels)->name, pool.threads(), Since(start), bound - before);
  std::fflush(stdout);

  const int64_t tokens = gemma3n::VisionTower::soft_tokens(), width = tower->out_features();
  std::vector<float> soft(static_cast<size_t>(tokens * width));
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with("dump ")) {
      std::ofstream(line.substr(5), std::ios::binary)
          .write(reinterpret_cast<const char*>(soft.data()),
                 static_cast<std::streamsize>(soft.size() * sizeof(float)));
      fmt::print("{{}}\n");
      std::fflush(stdout);
      continue;
    }
    const int64_t size = std::atoll(line.c_str());
    std::vector<uint8_t> rgb(static_cast<size_t>(size * size * 3));
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
    double peak = 0;
    const auto encode = Clock::now();
    const gemma3n::Status status =
        tower->Encode(rgb, size, {soft.data(), tokens, width}, ops,
                      [&](auto, int, const auto&) { peak = std::max(peak, Anonymous()); });
    if (!status.ok()) return Fail(status);
    fmt::print("{{\"size\": {}, \"seconds\": {:.4f}, \"extra_mb\": {:.1f}}}\n", size, Since(encode),
               peak - bound);
    std::fflush(stdout);
  }
}
