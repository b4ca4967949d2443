// The sampler against transformers' logits processors (fixture), against brute force, and against
// its own seed.
#include "sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

namespace gemma3n {
namespace {

using testing::HasSubstr;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams Off() {
  SamplingParams p;
  p.top_k = 0;
  p.top_p = 1;
  return p;
}

Sampler Make(const SamplingParams& p, int64_t vocab) {
  auto sampler = Sampler::Create(p, vocab);
  EXPECT_TRUE(sampler.ok()) << sampler.status().message();
  return std::move(sampler).value();
}

// Dense probabilities by token id.
std::vector<double> Probabilities(Sampler& sampler, std::vector<float> logits) {
  auto distribution = sampler.Distribution(logits);
  EXPECT_TRUE(distribution.ok()) << distribution.status().message();
  std::vector<double> dense(logits.size(), 0.0);
  if (!distribution.ok()) return dense;
  for (const auto& [token, probability] : *distribution) {
    EXPECT_GT(probability, 0);
    EXPECT_EQ(dense[static_cast<size_t>(token)], 0) << "token " << token << " appears twice";
    dense[static_cast<size_t>(token)] = probability;
  }
  return dense;
}

// Full sort, the definitions written out.
std::vector<double> BruteForce(const std::vector<float>& logits, const SamplingParams& p) {
  const size_t n = logits.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  size_t kept = n;
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < n) {
    kept = static_cast<size_t>(p.top_k);
    while (kept < n && logits[order[kept]] == logits[order[kept - 1]]) ++kept;
  }
  std::vector<double> weights(n, 0.0);
  double total = 0;
  for (size_t i = 0; i < kept; ++i) {
    const double z = (static_cast<double>(logits[order[i]]) - logits[order[0]]) / p.temperature;
    total += weights[order[i]] = std::exp(z);
  }
  double before = 0, left = 0;
  for (size_t i = 0; i < n; ++i) {
    double& w = weights[order[i]];
    const bool top_p_drops = p.top_p < 1 && i > 0 && before >= static_cast<double>(p.top_p) * total;
    before += w;
    if (top_p_drops || w < p.min_p) w = 0;
    left += w;
  }
  for (double& w : weights) w /= left;
  return weights;
}

std::vector<float> RandomLogits(size_t n, uint64_t seed, float scale) {
  std::mt19937_64 rng(seed);
  std::vector<float> logits(n);
  for (float& z : logits) {
    double sum = 0;  // near enough to normal
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(rng() >> 11) * 0x1p-53;
    z = static_cast<float>(sum - 6) * scale;
  }
  return logits;
}

TEST(Sampler, AgreesWithTransformersProcessors) {
  std::ifstream file(GEMMA3N_SOURCE_DIR "/tests/golden/sampling/processors.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 100u);
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& c = cases[i];
    SamplingParams p;
    p.temperature = c["temperature"];
    p.top_k = c["top_k"];
    p.top_p = c["top_p"];
    p.min_p = c["min_p"];
    p.repetition_penalty = c["repetition_penalty"];
    const auto logits = c["logits"].get<std::vector<float>>();
    Sampler sampler = Make(p, static_cast<int64_t>(logits.size()));
    sampler.ObservePrompt(c["prompt"].get<std::vector<int32_t>>());
    for (int32_t token : c["generated"]) sampler.ObserveGenerated(token);
    const auto got = Probabilities(sampler, logits);
    const auto want = c["probabilities"].get<std::vector<double>>();
    for (size_t t = 0; t < want.size(); ++t) {
      ASSERT_NEAR(got[t], want[t], 3e-7) << "case " << i << ", token " << t << ": " << c.dump();
      ASSERT_EQ(got[t] == 0, want[t] == 0) << "case " << i << ", token " << t << ": " << c.dump();
    }
  }
}

TEST(Sampler, AgreesWithBruteForceOverManyOptions) {
  int compared = 0;
  for (size_t n : {1u, 5u, 300u, 5000u}) {
    for (int k : {0, 2, 64, 1500}) {
      for (float top_p : {1.0f, 0.95f, 0.3f, 0.0f}) {
        for (float min_p : {0.0f, 0.02f, 1.0f}) {
          SamplingParams p;
          p.top_k = k;
          p.top_p = top_p;
          p.min_p = min_p;
          p.temperature = k == 2 ? 0.3f : 1.4f;
          const auto logits = RandomLogits(n, n * 7 + static_cast<size_t>(k), 2.0f);
          Sampler sampler = Make(p, static_cast<int64_t>(n));
          const auto got = Probabilities(sampler, logits);
          const auto want = BruteForce(logits, p);
          for (size_t t = 0; t < n; ++t) {
            ASSERT_NEAR(got[t], want[t], 1e-12)
                << n << ' ' << k << ' ' << top_p << ' ' << min_p << " token " << t;
          }
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 192);
}

TEST(Sampler, TopKKeepsTiesOfTheKthAsTransformersDoes) {
  SamplingParams p = Off();
  p.top_k = 2;
  Sampler sampler = Make(p, 5);
  const auto got = Probabilities(sampler, {1, 3, 1, 0, 1});
  EXPECT_GT(got[0], 0);
  EXPECT_GT(got[2], 0);
  EXPECT_GT(got[4], 0);
  EXPECT_EQ(got[3], 0);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.25f), std::log(0.125f),
                                     std::log(0.125f)};
  SamplingParams p = Off();
  p.top_p = 0.74f;
  Sampler below = Make(p, 4);
  EXPECT_EQ(Probabilities(below, logits)[2], 0);
  p.top_p = 0.76f;
  Sampler above = Make(p, 4);
  const auto got = Probabilities(above, logits);
  EXPECT_NEAR(got[0], 4.0 / 7, 1e-6);
  EXPECT_GT(got[2], 0);
  EXPECT_EQ(got[3], 0) << "of equals, the higher id goes";
}

TEST(Sampler, TopPCountsMassAfterTopK) {
  SamplingParams p = Off();
  p.top_k = 2;
  p.top_p = 0.6f;
  Sampler sampler = Make(p, 4);  // of the two left, the first holds 2/3
  const auto got =
      Probabilities(sampler, {std::log(0.5f), std::log(0.25f), std::log(0.125f), std::log(0.125f)});
  EXPECT_EQ(got[0], 1);
}

TEST(Sampler, PenaltiesAndBias) {
  SamplingParams p = Off();
  p.repetition_penalty = 2;
  p.presence_penalty = 0.5f;
  p.frequency_penalty = 0.25f;
  p.logit_bias = {{3, 1.5f}, {0, -100}};
  Sampler sampler = Make(p, 5);
  sampler.ObservePrompt(
      std::vector<int32_t>{1, 1, 2, 262143, -1});  // ids outside the vocabulary count for nothing
  sampler.ObserveGenerated(2);
  sampler.ObserveGenerated(2);
  sampler.ObserveGenerated(4);
  std::vector<float> logits = {1, 1, -1, 1, 4};
  ASSERT_TRUE(sampler.Distribution(logits).ok());
  EXPECT_FLOAT_EQ(logits[0], -99);                    // bias
  EXPECT_FLOAT_EQ(logits[1], 0.5f);                   // in the prompt: repetition once
  EXPECT_FLOAT_EQ(logits[2], -2 - 0.5f - 2 * 0.25f);  // negative: multiplied; generated twice
  EXPECT_FLOAT_EQ(logits[3], 2.5f);
  EXPECT_FLOAT_EQ(logits[4], 2 - 0.5f - 0.25f);
}

TEST(Sampler, PromptTokensDoNotCountForOpenAiPenalties) {
  SamplingParams p = Off();
  p.presence_penalty = 2;
  Sampler sampler = Make(p, 2);
  sampler.ObservePrompt(std::vector<int32_t>{0});
  std::vector<float> logits = {1, 1};
  ASSERT_TRUE(sampler.Distribution(logits).ok());
  EXPECT_EQ(logits[0], 1);
}

TEST(Sampler, GreedyWhenTemperatureIsZeroOrTopKIsOne) {
  for (bool by_temperature : {true, false}) {
    SamplingParams p;
    (by_temperature ? p.temperature : p.min_p) = 0;
    if (!by_temperature) p.top_k = 1;
    Sampler sampler = Make(p, 6);
    for (int i = 0; i < 20; ++i) {
      std::vector<float> logits = {0, 2, 5, kNan, 5, 4};
      auto token = sampler.Sample(logits);
      ASSERT_TRUE(token.ok());
      EXPECT_EQ(*token, 2) << "ties go to the lower id";
    }
  }
}

TEST(Sampler, TheLargestLogitsAloneGiveTheSameDistribution) {
  SamplingParams greedy, some, all, penalised, biased;
  greedy.temperature = 0;
  some.top_k = 20;
  some.min_p = 0.01f;
  all.top_k = 0;
  penalised.presence_penalty = 0.5f;
  biased.logit_bias = {{3, 1.0f}};
  constexpr int64_t kVocab = 5000;
  EXPECT_EQ(Make(greedy, kVocab).top(), 1);
  EXPECT_EQ(Make(some, kVocab).top(), 20);
  for (const SamplingParams& p : {all, penalised, biased}) EXPECT_EQ(Make(p, kVocab).top(), 0);

  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto logits = RandomLogits(kVocab, seed, 3);
    for (float& z : logits) z = std::round(z * 8) / 8;  // with ties at the edge
    for (const SamplingParams& p : {greedy, some}) {
      auto order = logits;
      std::sort(order.begin(), order.end(), std::greater<>());
      const float kth = order[static_cast<size_t>(Make(p, kVocab).top() - 1)];
      auto largest = logits;
      for (float& z : largest) {
        if (z < kth) z = -std::numeric_limits<float>::infinity();
      }
      Sampler with_all = Make(p, kVocab), with_largest = Make(p, kVocab);
      EXPECT_EQ(Probabilities(with_largest, largest), Probabilities(with_all, logits));
    }
  }
}

TEST(Sampler, DrawsFollowTheDistribution) {
  SamplingParams p = Off();
  p.top_k = 20;
  p.top_p = 0.9f;
  p.temperature = 1.3f;
  p.seed = 12345;
  const auto logits = RandomLogits(200, 3, 1.5f);
  const auto want = BruteForce(logits, p);
  Sampler sampler = Make(p, 200);
  constexpr int kDraws = 60000;
  std::vector<int> counts(200, 0);
  for (int i = 0; i < kDraws; ++i) {
    auto row = logits;
    auto token = sampler.Sample(row);
    ASSERT_TRUE(token.ok());
    ++counts[static_cast<size_t>(*token)];
  }
  double chi2 = 0;
  int cells = 0;
  for (size_t t = 0; t < want.size(); ++t) {
    const double expected = want[t] * kDraws;
    if (expected == 0) {
      ASSERT_EQ(counts[t], 0) << "token " << t << " has probability 0";
      continue;
    }
    chi2 += (counts[t] - expected) * (counts[t] - expected) / expected;
    ++cells;
  }
  ASSERT_GT(cells, 5);
  ASSERT_LE(cells, 20);
  // Mean cells - 1, standard deviation sqrt(2 (cells - 1)); the seed is fixed.
  EXPECT_LT(chi2, (cells - 1) + 4 * std::sqrt(2.0 * (cells - 1)));
  EXPECT_GT(chi2, 1) << "draws more even than chance";
}

TEST(Sampler, SameSeedSameTokensOnEveryPlatform) {
  SamplingParams p = Off();
  p.seed = 42;
  Sampler sampler = Make(p, 1000);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 8; ++i) {
    std::vector<float> logits(
        1000, 0.25f);  // even: token = floor(1000 u), u from the generator's top 53 bits
    auto token = sampler.Sample(logits);
    ASSERT_TRUE(token.ok());
    tokens.push_back(*token);
  }
  // Computed apart, from the published recurrence of mt19937-64.
  // gives the same.
  EXPECT_THAT(tokens, testing::ElementsAre(755, 639, 752, 136, 903, 94, 574, 372));
}

TEST(Sampler, ValidationNamesTheOptionTheRangeAndTheValue) {
  const auto message = [](auto change) {
    SamplingParams p;
    change(p);
    auto sampler = Sampler::Create(p, 100);
    if (sampler.ok()) return std::string("accepted");
    EXPECT_EQ(sampler.status().code(), StatusCode::kInvalidArgument);
    return sampler.status().message();
  };
  EXPECT_THAT(message([](auto& p) { p.temperature = -0.5f; }),
              HasSubstr("temperature: expected a finite number of at least 0"));
  EXPECT_THAT(message([](auto& p) { p.temperature = kNan; }), HasSubstr("temperature"));
  EXPECT_THAT(message([](auto& p) { p.temperature = kInf; }), HasSubstr("temperature"));
  EXPECT_THAT(message([](auto& p) { p.top_k = -1; }),
              HasSubstr("top_k: expected at least 0 (0 is off), found -1"));
  EXPECT_THAT(message([](auto& p) { p.top_p = 1.5f; }),
              HasSubstr("top_p: expected 0 to 1, found 1.5"));
  EXPECT_THAT(message([](auto& p) { p.top_p = kNan; }), HasSubstr("top_p"));
  EXPECT_THAT(message([](auto& p) { p.min_p = -1; }),
              HasSubstr("min_p: expected 0 to 1, found -1"));
  EXPECT_THAT(message([](auto& p) { p.repetition_penalty = 0; }), HasSubstr("repetition_penalty"));
  EXPECT_THAT(message([](auto& p) { p.presence_penalty = kInf; }), HasSubstr("presence_penalty"));
  EXPECT_THAT(message([](auto& p) { p.frequency_penalty = kNan; }), HasSubstr("frequency_penalty"));
  EXPECT_THAT(message([](auto& p) {
                p.logit_bias = {{100, 1}};
              }),
              HasSubstr("token id 100 is outside the vocabulary of 100"));
  EXPECT_THAT(message([](auto& p) { p.logit_bias = {{-1, 1}}; }), HasSubstr("logit_bias"));
  EXPECT_THAT(message([](auto& p) {
                p.logit_bias = {{1, kInf}};
              }),
              HasSubstr("logit_bias of token 1"));
  EXPECT_EQ(message([](auto& p) { p.logit_bias = {{99, 1e6f}}; }), "accepted");
  EXPECT_FALSE(Sampler::Create({}, 0).ok());
}

TEST(Sampler, RowsThatCannotBeSampled) {
  Sampler sampler = Make({}, 3);
  std::vector<float> none = {-kInf, kNan, -kInf};
  EXPECT_EQ(sampler.Sample(none).status().code(), StatusCode::kInternal);
  std::vector<float> short_row = {1, 2};
  EXPECT_EQ(sampler.Sample(short_row).status().code(), StatusCode::kInvalidArgument);
}

TEST(Sampler, NonFiniteAndExtremeLogits) {
  for (float temperature : {1e-30f, 1.0f, 1e30f}) {
    SamplingParams p = Off();
    p.temperature = temperature;
    Sampler sampler = Make(p, 5);
    for (int i = 0; i < 50; ++i) {
      std::vector<float> logits = {-kInf, 1e30f, kNan, 3e38f, -3e38f};
      auto token = sampler.Sample(logits);
      ASSERT_TRUE(token.ok());
      EXPECT_TRUE(*token == 1 || *token == 3 || *token == 4) << *token;
      if (temperature <= 1) {
        EXPECT_EQ(*token, 3);
      }
      std::vector<float> infinite = {1, kInf, 2, 3, kNan};
      EXPECT_EQ(*sampler.Sample(infinite), 1);
    }
  }
}

TEST(Sampler, WholeGemmaVocabulary) {
  SamplingParams p;  // 64, 0.95
  const auto logits = RandomLogits(262400, 11, 4.0f);
  Sampler sampler = Make(p, 262400);
  const auto got = Probabilities(sampler, logits);
  const auto want = BruteForce(logits, p);
  for (size_t t = 0; t < want.size(); ++t) ASSERT_NEAR(got[t], want[t], 1e-12);
  std::vector<float> even(262400, 0.5f);  // everything ties with the 64-th
  Sampler ties = Make(p, 262400);
  EXPECT_TRUE(ties.Sample(even).ok());
}

TEST(Logprobs, LogSoftmaxInDouble) {
  const std::vector<float> logits = {1, 2, 3, -kInf, kNan};
  const double norm = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  EXPECT_FLOAT_EQ(LogProbability(logits, 0), static_cast<float>(1 - norm));
  EXPECT_EQ(LogProbability(logits, 3), -kInf);
  EXPECT_EQ(LogProbability(logits, 4), -kInf);
  EXPECT_EQ(LogProbability(logits, 5), -kInf);
  EXPECT_EQ(LogProbability(logits, -1), -kInf);
  const auto top = TopLogprobs(logits, 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].token, 2);
  EXPECT_EQ(top[1].token, 1);
  EXPECT_FLOAT_EQ(top[1].logprob, static_cast<float>(2 - norm));
  EXPECT_TRUE(TopLogprobs(logits, 0).empty());
  EXPECT_EQ(TopLogprobs(logits, 99).size(), 4u);
}

TEST(Logprobs, LargeOffsetsAndTies) {
  const std::vector<float> logits = {1e4f, 1e4f, 1e4f, 1e4f};
  EXPECT_FLOAT_EQ(LogProbability(logits, 2), -std::log(4.0f));
  const auto top = TopLogprobs(logits, 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].token, 0);
  EXPECT_EQ(top[1].token, 1);
}

TEST(Logprobs, AgreesWithASortOfTheVocabulary) {
  const auto logits = RandomLogits(262400, 5, 3.0f);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  const auto top = TopLogprobs(logits, 20);
  ASSERT_EQ(top.size(), 20u);
  for (size_t i = 0; i < top.size(); ++i) {
    EXPECT_EQ(top[i].token, order[i]);
    EXPECT_EQ(top[i].logprob, LogProbability(logits, order[i]));
  }
}

}  // namespace
}  // namespace gemma3n
