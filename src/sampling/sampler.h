// Logits to a token: penalties and biases, temperature, top-k, top-p, min-p, a seeded draw.
// Order as in HF generate: penalties, bias, temperature, top-k, top-p, min-p.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gemma3n/options.h"
#include "gemma3n/session.h"

namespace gemma3n {

// Generation options with every default filled in.
struct SamplingParams {
  float temperature = 1;  // 0: greedy
  int top_k = 64;         // 0: off
  float top_p = 0.95f;
  float min_p = 0;
  float repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;
};

class Sampler {
 public:
  // Errors: kInvalidArgument naming the option, its range and the value found; a bias for an id outside the vocabulary.
  static Result<Sampler> Create(const SamplingParams& params, int64_t vocab_size);

  // Tells the penalties about tokens that came before: prompt tokens count for repetition_penalty only.
  void ObservePrompt(std::span<const int32_t> tokens);
  void ObserveGenerated(int32_t token);

  // The next token. Logits are changed in place. Ties go to the lower id. Never returns a token of probability 0;
  // logits that are all -inf or NaN give kInternal.
  Result<int32_t> Sample(std::span<float> logits);

 private:
  explicit Sampler(SamplingParams params) : params_(std::move(params)), rng_(params_.seed) {}
  SamplingParams params_;
  std::mt19937_64 rng_;
  struct Seen {
    bool in_prompt = false;
    int generated = 0;
  };
  std::unordered_map<int32_t, Seen> seen_;
  std::vector<std::pair<float, int32_t>> candidates_;  // scratch
};

// Natural log-probabilities: of `token`, and of the `count` most probable tokens (most probable first), from raw logits.
float LogProbability(std::span<const float> logits, int32_t token);
std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int count);

}  // namespace gemma3n
