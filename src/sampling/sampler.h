// Logits to a token: penalties and biases, temperature, top-k, top-p, min-p, a seeded draw.
// Order as in HF generate: penalties, bias, temperature, top-k, top-p, min-p. The draws depend on
// the seed alone, not on the standard library.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <unordered_map>
#include <utility>
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
  // Errors: kInvalidArgument naming the option, its range and the value found; a bias for an id
  // outside the vocabulary.
  static Result<Sampler> Create(const SamplingParams& params, int64_t vocab_size);

  // Whether Sample takes the most probable token.
  bool greedy() const { return params_.temperature == 0 || params_.top_k == 1; }

  // How many of the largest logits decide what is drawn: the others may be -inf. 0: all do.
  int64_t top() const;

  // Tells the penalties about tokens that came before: prompt tokens count for repetition_penalty
  // only.
  void ObservePrompt(std::span<const int32_t> tokens);
  void ObserveGenerated(int32_t token);

  // The next token. Logits are changed in place. Ties go to the lower id. Never returns a token of
  // probability 0; logits that are all -inf or NaN give kInternal.
  Result<int32_t> Sample(std::span<float> logits);

  struct TokenProbability {
    int32_t token = 0;
    double probability = 0;
  };
  // What Sample would draw from, without drawing: tokens of probability above 0, which sum to 1, in
  // no promised order. Logits are changed in place. Errors: as Sample.
  Result<std::vector<TokenProbability>> Distribution(std::span<float> logits);

 private:
  using Candidate = std::pair<double, int32_t>;  // weight and token id
  struct Seen {
    bool in_prompt = false;
    int generated = 0;
  };

  Sampler(SamplingParams params, int64_t vocab_size)
      : params_(std::move(params)), vocab_size_(vocab_size), rng_(params_.seed) {}
  bool penalises() const;
  Status Prepare(std::span<float> logits);
  void ApplyPenaltiesAndBias(std::span<float> logits) const;
  void Gather(std::span<const float> logits, float max);
  void KeepTopP();
  int32_t Draw();

  SamplingParams params_;
  int64_t vocab_size_;
  std::mt19937_64 rng_;
  std::unordered_map<int32_t, Seen> seen_;
  // Scratch of one Sample call.
  std::vector<float> select_scratch_;
  std::vector<Candidate> candidates_;
  double top_k_mass_ = 0;
};

// Natural log of the sum of exponentials; NaN when no logit is above -inf.
double LogSumExp(std::span<const float> logits);

// Natural log-probabilities, computed in double: of `token` (-inf when outside the vocabulary), and
// of the `count` most probable tokens (most probable first, ties by id), from raw logits.
float LogProbability(std::span<const float> logits, int32_t token);
std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int count);

}  // namespace gemma3n
