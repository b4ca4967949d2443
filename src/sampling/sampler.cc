// sampler.cc - logits to a token. The processors are those of HF transformers' generate
// (RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper,
// MinPLogitsWarper) and OpenAI's penalties and logit bias.
//
//   z_t = logit_t / r or * r (t seen, r the repetition penalty)  - presence [n_t > 0]  - frequency
//   n_t  + bias_t top-k keeps z_t >= the k-th largest z (ties stay, as in HF); w_t = exp((z_t - max
//   z) / temperature), in double top-p keeps a token while the more probable ones hold less than p
//   of the mass left by top-k min-p keeps w_t >= min_p; the draw is proportional to w_t
//
// Penalties are float32 as in HF. The standard library's distributions differ between
// implementations, so the draw is made from the generator's bits here.
#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/arg_max.h"
#include "sampling/top_select.h"

namespace gemma3n {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Status CheckRange(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return OkStatus();  // false for NaN
  return Error(StatusCode::kInvalidArgument, "{}: expected {} to {}, found {}", name, low, high,
               value);
}

Status CheckFinite(const char* name, double value) {
  if (std::isfinite(value)) return OkStatus();
  return Error(StatusCode::kInvalidArgument, "{}: expected a finite number, found {}", name, value);
}

Status Validate(const SamplingParams& p, int64_t vocab_size) {
  if (vocab_size < 1 || vocab_size > std::numeric_limits<int32_t>::max()) {
    return Error(StatusCode::kInvalidArgument,
                 "vocabulary size: expected 1 to 2147483647, found {}", vocab_size);
  }
  if (!(p.temperature >= 0) || !std::isfinite(p.temperature)) {
    return Error(StatusCode::kInvalidArgument,
                 "temperature: expected a finite number of at least 0 (0 is greedy), found {}",
                 p.temperature);
  }
  if (p.top_k < 0) {
    return Error(StatusCode::kInvalidArgument, "top_k: expected at least 0 (0 is off), found {}",
                 p.top_k);
  }
  G3N_RETURN_IF_ERROR(CheckRange("top_p", p.top_p, 0, 1));
  G3N_RETURN_IF_ERROR(CheckRange("min_p", p.min_p, 0, 1));
  if (!(p.repetition_penalty > 0) || !std::isfinite(p.repetition_penalty)) {
    return Error(StatusCode::kInvalidArgument,
                 "repetition_penalty: expected a finite number above 0 (1 is off), found {}",
                 p.repetition_penalty);
  }
  G3N_RETURN_IF_ERROR(CheckFinite("presence_penalty", p.presence_penalty));
  G3N_RETURN_IF_ERROR(CheckFinite("frequency_penalty", p.frequency_penalty));
  for (const auto& [token, bias] : p.logit_bias) {
    if (token < 0 || token >= vocab_size) {
      return Error(StatusCode::kInvalidArgument,
                   "logit_bias: token id {} is outside the vocabulary of {}", token, vocab_size);
    }
    if (!std::isfinite(bias)) {
      return Error(StatusCode::kInvalidArgument,
                   "logit_bias of token {}: expected a finite number, found {}", token, bias);
    }
  }
  return OkStatus();
}

// Uniform in [0, 1) with 53 bits.
double Uniform(std::mt19937_64& rng) { return static_cast<double>(rng() >> 11) * 0x1p-53; }

}  // namespace

Result<Sampler> Sampler::Create(const SamplingParams& params, int64_t vocab_size) {
  G3N_RETURN_IF_ERROR(Validate(params, vocab_size));
  return Sampler(params, vocab_size);
}

bool Sampler::penalises() const {
  return params_.repetition_penalty != 1 || params_.presence_penalty != 0 ||
         params_.frequency_penalty != 0;
}

int64_t Sampler::top() const {
  if (penalises() || !params_.logit_bias.empty()) return 0;
  return greedy() ? 1 : params_.top_k;
}

void Sampler::ObservePrompt(std::span<const int32_t> tokens) {
  if (params_.repetition_penalty == 1) return;
  for (int32_t token : tokens) {
    if (token >= 0 && token < vocab_size_) seen_[token].in_prompt = true;
  }
}

void Sampler::ObserveGenerated(int32_t token) {
  if (penalises() && token >= 0 && token < vocab_size_) ++seen_[token].generated;
}

void Sampler::ApplyPenaltiesAndBias(std::span<float> logits) const {
  for (const auto& [token, seen] : seen_) {
    float& z = logits[static_cast<size_t>(token)];
    z = z < 0 ? z * params_.repetition_penalty : z / params_.repetition_penalty;
    if (seen.generated > 0) {
      z -=
          params_.presence_penalty + params_.frequency_penalty * static_cast<float>(seen.generated);
    }
  }
  for (const auto& [token, bias] : params_.logit_bias) logits[static_cast<size_t>(token)] += bias;
}

// Leaves in candidates_ what may be drawn, with its weights.
Status Sampler::Prepare(std::span<float> logits) {
  if (static_cast<int64_t>(logits.size()) != vocab_size_) {
    return Error(StatusCode::kInvalidArgument, "sampler: expected {} logits, found {}", vocab_size_,
                 logits.size());
  }
  ApplyPenaltiesAndBias(logits);
  const int64_t best = ArgMax(logits);
  if (best < 0) {
    return Error(StatusCode::kInternal, "sampler: none of the {} logits is above -inf",
                 logits.size());
  }
  if (greedy()) {
    candidates_.assign(1, {1.0, static_cast<int32_t>(best)});
    return OkStatus();
  }
  Gather(logits, logits[static_cast<size_t>(best)]);
  KeepTopP();
  return OkStatus();
}

Result<int32_t> Sampler::Sample(std::span<float> logits) {
  G3N_RETURN_IF_ERROR(Prepare(logits));
  if (candidates_.size() == 1) return candidates_.front().second;
  return Draw();
}

Result<std::vector<Sampler::TokenProbability>> Sampler::Distribution(std::span<float> logits) {
  G3N_RETURN_IF_ERROR(Prepare(logits));
  double total = 0;
  for (const Candidate& c : candidates_) total += c.first;
  std::vector<TokenProbability> distribution;
  for (const auto& [weight, token] : candidates_) distribution.push_back({token, weight / total});
  return distribution;
}

// Fills candidates_ with (weight, id) of the tokens that top-k and min-p leave; min-p compares with
// the most probable token, which top-p never drops, so that it may come first.
void Sampler::Gather(std::span<const float> logits, float max) {
  float floor = -kInf;
  const auto k = static_cast<size_t>(params_.top_k);
  if (k > 0 && k < logits.size()) floor = KthLargest(logits, k, select_scratch_);
  const double inverse_temperature = 1.0 / static_cast<double>(params_.temperature);
  candidates_.clear();
  top_k_mass_ = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float z = logits[i];
    if (!(z >= floor)) continue;  // also NaN
    // A logit of +inf leaves no mass to the finite ones.
    const double weight =
        z == max ? 1.0 : std::exp((static_cast<double>(z) - max) * inverse_temperature);
    top_k_mass_ += weight;
    if (weight > 0 && weight >= params_.min_p)
      candidates_.emplace_back(weight, static_cast<int32_t>(i));
  }
}

// Leaves the smallest set of most probable candidates that holds top_p of the mass, in order.
void Sampler::KeepTopP() {
  if (params_.top_p >= 1) return;
  const auto more_probable = [](const Candidate& a, const Candidate& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  const double wanted = static_cast<double>(params_.top_p) * top_k_mass_;
  double mass = 0;
  size_t sorted = 0;
  // The set is small as a rule: order the candidates piece by piece, largest first, until it is
  // complete.
  for (size_t step = 256; sorted < candidates_.size(); step *= 4) {
    const auto begin = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto end = candidates_.begin() +
                     static_cast<std::ptrdiff_t>(std::min(sorted + step, candidates_.size()));
    if (end != candidates_.end()) std::nth_element(begin, end, candidates_.end(), more_probable);
    std::sort(begin, end, more_probable);
    for (auto it = begin; it != end; ++it) {
      mass += it->first;
      ++sorted;
      if (mass >= wanted) {
        candidates_.resize(sorted);
        return;
      }
    }
  }
}

int32_t Sampler::Draw() {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.first;
  double left = Uniform(rng_) * total;
  for (const Candidate& c : candidates_) {
    left -= c.first;
    if (left < 0) return c.second;
  }
  return candidates_.back().second;  // rounding: every candidate has a weight above 0
}

}  // namespace gemma3n
