// logprobs.cc - log softmax of a row of logits: log p_t = z_t - max - log sum_i exp(z_i - max), in
// double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/arg_max.h"
#include "sampling/sampler.h"
#include "sampling/top_select.h"

namespace gemma3n {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

float FromNormaliser(float logit, double normaliser) {
  if (std::isnan(logit) || std::isnan(normaliser)) return -kInf;
  if (logit == kInf) return 0;
  return static_cast<float>(static_cast<double>(logit) - normaliser);
}

}  // namespace

double LogSumExp(std::span<const float> logits) {
  const int64_t best = ArgMax(logits);
  if (best < 0) return std::numeric_limits<double>::quiet_NaN();
  const double max = logits[static_cast<size_t>(best)];
  if (std::isinf(max)) return max;
  double sum = 0;
  for (float z : logits) {
    if (!std::isnan(z)) sum += std::exp(static_cast<double>(z) - max);
  }
  return max + std::log(sum);
}

float LogProbability(std::span<const float> logits, int32_t token) {
  if (token < 0 || static_cast<size_t>(token) >= logits.size()) return -kInf;
  return FromNormaliser(logits[static_cast<size_t>(token)], LogSumExp(logits));
}

std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int count) {
  std::vector<TokenLogprob> top;
  if (count <= 0 || logits.empty()) return top;
  const size_t k = std::min(static_cast<size_t>(count), logits.size());
  std::vector<float> scratch;
  const float floor = KthLargest(logits, k, scratch);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= floor) ids.push_back(static_cast<int32_t>(i));
  }
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  // Ids ascend, so that a stable order keeps the lower one of equals first.
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  if (ids.size() > k) ids.resize(k);
  const double normaliser = LogSumExp(logits);
  for (int32_t id : ids) top.push_back({id, FromNormaliser(logit(id), normaliser)});
  return top;
}

}  // namespace gemma3n
