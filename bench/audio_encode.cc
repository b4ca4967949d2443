// Times the sound tower on a checkpoint, one run for every line that comes in, so that
// audio_compare.py can let another implementation run in between:   audio_encode MODEL
// float32|bfloat16|int8 SECONDS THREADS Prints for each run: seconds of the features on one core,
// seconds of the whole, processor seconds of the whole.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "kernels/ops.h"
#include "model/audio/audio_tower.h"

namespace gemma3n {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Status Serve(const std::string& path, Arithmetic arithmetic, double length, int threads) {
  G3N_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  ThreadPool pool(threads), single(1);
  const Ops ops(*kernels, pool), alone(*kernels, single);
  G3N_ASSIGN_OR_RETURN(const AudioTower tower, AudioTower::Bind(checkpoint, arithmetic, ops));
  std::vector<float> samples(static_cast<size_t>(length * LogMel::kSampleRate));
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto t = static_cast<double>(i) / LogMel::kSampleRate;
    samples[i] = static_cast<float>(0.3 * std::sin(1400 * t * (1 + 0.1 * std::sin(3 * t))) +
                                    0.1 * std::sin(9000 * t));
  }
  const std::vector<AudioClip> clips = {samples};
  std::vector<float> soft(static_cast<size_t>(tower.soft_tokens() * tower.out_features()));
  const LogMel log_mel(checkpoint.config().audio.feature_size);
  const int64_t frames =
      LogMel::Frames(LogMel::PaddedSamples(static_cast<int64_t>(samples.size())));
  std::vector<float> mel(static_cast<size_t>(frames * checkpoint.config().audio.feature_size));
  for (std::string line; std::getline(std::cin, line);) {
    const double start = Seconds();
    log_mel.Compute(samples, View(mel.data(), frames, checkpoint.config().audio.feature_size),
                    alone);
    const double features = Seconds() - start, begin = Seconds(), processor = ProcessorSeconds();
    G3N_RETURN_IF_ERROR(
        tower.Encode(clips, View(soft.data(), tower.soft_tokens(), tower.out_features()), ops));
    std::cout << fmt::format("{:.5f} {:.5f} {:.5f}", features, Seconds() - begin,
                             ProcessorSeconds() - processor)
              << std::endl;
  }
  return OkStatus();
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  const std::map<std::string, gemma3n::Arithmetic> arithmetics = {
      {"float32", gemma3n::Arithmetic::kFloat32},
      {"bfloat16", gemma3n::Arithmetic::kBFloat16},
      {"int8", gemma3n::Arithmetic::kInt8}};
  if (argc != 5 || !arithmetics.contains(argv[2])) {
    std::cerr << "usage: audio_encode MODEL float32|bfloat16|int8 SECONDS THREADS   (a line on "
                 "stdin runs once)\n";
    return 2;
  }
  const auto status =
      gemma3n::Serve(argv[1], arithmetics.at(argv[2]), std::stod(argv[3]), std::stoi(argv[4]));
  if (status.ok()) return 0;
  std::cerr << status.message() << '\n';
  return 1;
}
