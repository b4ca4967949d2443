#include "gemma3n/session.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

int32_t ArgMax(const std::vector<float>& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

float MaxDifference(const std::vector<std::vector<float>>& a,
                    const std::vector<std::vector<float>>& b) {
  float worst = 0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < a[i].size(); ++j) worst = std::max(worst, std::fabs(a[i][j] - b[i][j]));
  }
  return worst;
}

class SessionTest : public EngineTest {
 protected:
  std::vector<int32_t> Fresh(const Engine& engine, const std::vector<int32_t>& prompt,
                             int64_t count) {
    auto result = NewSession(engine)->Generate(prompt, Greedy(count));
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result->tokens;
  }
};

TEST_F(SessionTest, GreedyAnswerIsTheArgmaxOfTheScoresOfEveryPrefix) {
  const auto engine = Load(Options());
  const auto prompt = Ids(23);
  auto session = NewSession(*engine);
  auto result = session->Generate(prompt, Greedy(12));
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_EQ(result->tokens.size(), 12u);
  EXPECT_EQ(result->reason, StopReason::kMaxTokens);
  EXPECT_EQ(result->stats.prompt_tokens, 23);
  EXPECT_EQ(result->stats.generated_tokens, 12);
  std::vector<int32_t> all = prompt;
  all.insert(all.end(), result->tokens.begin(), result->tokens.end());
  const auto rows = ScoreAll(*NewSession(*engine), all);
  for (size_t i = 0; i < result->tokens.size(); ++i) {
    EXPECT_EQ(result->tokens[i], ArgMax(rows[prompt.size() - 1 + i])) << "token " << i;
  }
}

TEST_F(SessionTest, SlicesOfAPromptAndThePrefillSkipChangeNothing) {
  const auto prompt = Ids(50);
  EngineOptions options = Options();
  options.precision = Precision::kFloat32;  // auto multiplies few and many rows in different ways
  const auto whole = Load(options);
  const auto expected_scores = ScoreAll(*NewSession(*whole), prompt);
  const auto expected = Fresh(*whole, prompt, 8);
  for (bool skip : {true, false}) {
    for (int64_t chunk : {1, 2, 3, 7, 49, 50, 512}) {
      options.prefill_skip = skip;
      options.prefill_chunk = chunk;
      const auto engine = Load(options);
      EXPECT_THAT(Fresh(*engine, prompt, 8), ElementsAreArray(expected))
          << "slice " << chunk << ", skip " << skip;
      EXPECT_LT(MaxDifference(ScoreAll(*NewSession(*engine), prompt), expected_scores), 2e-5f);
    }
  }
}

TEST_F(SessionTest, AGrowingConversationCostsOnlyItsNewTokens) {
  const auto engine = Load(Options());
  auto session = NewSession(*engine);
  std::vector<int32_t> conversation = Ids(20);
  auto first = session->Generate(conversation, Greedy(10));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->stats.cached_tokens, 0);
  conversation.insert(conversation.end(), first->tokens.begin(), first->tokens.end());
  const auto turn = Ids(15, 3);
  conversation.insert(conversation.end(), turn.begin(), turn.end());
  auto second = session->Generate(conversation, Greedy(10));
  ASSERT_TRUE(second.ok());
  // All but the last generated token are in the cache: nothing has read that one yet.
  EXPECT_EQ(second->stats.cached_tokens, 29);
  EXPECT_THAT(second->tokens, ElementsAreArray(Fresh(*engine, conversation, 10)));
}

TEST_F(SessionTest, ADivergingPromptAnswersAsAFreshSession) {
  const auto engine = Load(Options());
  for (int keep : {0, 1, 10, 39, 40}) {
    auto session = NewSession(*engine);
    const auto first = Ids(40);
    ASSERT_TRUE(session->Generate(first, Greedy(10)).ok());
    std::vector<int32_t> second(first.begin(), first.begin() + keep);
    const auto other = Ids(12, 9);
    second.insert(second.end(), other.begin() + 1, other.end());
    auto result = session->Generate(second, Greedy(10));
    ASSERT_TRUE(result.ok());
    EXPECT_THAT(result->tokens, ElementsAreArray(Fresh(*engine, second, 10)))
        << "common prefix " << keep;
    EXPECT_EQ(session->tokens().size(), second.size() + 9);
  }
  // The same prompt again: everything but its last token is there.
  auto session = NewSession(*engine);
  ASSERT_TRUE(session->Generate(Ids(40), Greedy(1)).ok());
  EXPECT_EQ(session->Generate(Ids(40), Greedy(1))->stats.cached_tokens, 39);
}

TEST_F(SessionTest, SmallSlicesLoseTheWindowAndStartAnew) {
  EngineOptions options = Options();
  options.prefill_chunk = 2;
  const auto engine = Load(options);
  auto session = NewSession(*engine);
  auto prompt = Ids(60);
  ASSERT_TRUE(session->Generate(prompt, Greedy(1)).ok());
  prompt.resize(30);
  auto result = session->Generate(prompt, Greedy(6));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->stats.cached_tokens, 0)
      << "the rolling windows no longer hold what position 29 sees";
  EXPECT_THAT(result->tokens, ElementsAreArray(Fresh(*engine, prompt, 6)));
}

TEST_F(SessionTest, EndsForEveryReason) {
  const auto engine = Load(Options());
  const auto prompt = Ids(10);
  const auto answer = Fresh(*engine, prompt, 20);
  const auto run = [&](GenerationOptions o) {
    auto result = NewSession(*engine)->Generate(prompt, o);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return std::move(result).value();
  };
  EXPECT_EQ(run(Greedy(0)).tokens.size(), 0u);
  EXPECT_EQ(run(Greedy(0)).reason, StopReason::kMaxTokens);

  GenerationOptions stop_token = Greedy(20);
  stop_token.stop_tokens = {answer[5]};
  const auto stopped = run(stop_token);
  EXPECT_EQ(stopped.reason, StopReason::kStopToken);
  const auto first = std::find(answer.begin(), answer.end(), answer[5]) - answer.begin();
  EXPECT_EQ(static_cast<ptrdiff_t>(stopped.tokens.size()), first);

  SessionOptions small;
  small.context = 14;
  auto full = NewSession(*engine, small)->Generate(prompt, Greedy(-1));
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->reason, StopReason::kContextFull);
  EXPECT_EQ(full->tokens.size(), 5u)
      << "four more positions, and the token that the last one gives";
  EXPECT_TRUE(std::equal(full->tokens.begin(), full->tokens.end(), answer.begin()));

  int seen = 0;
  auto cancelled = NewSession(*engine)->Generate(prompt, Greedy(20),
                                                 [&](const TokenEvent&) { return ++seen < 3; });
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->reason, StopReason::kCancelled);
  EXPECT_EQ(cancelled->tokens.size(), 3u);
}

TEST_F(SessionTest, StopStringEndsTheTextBeforeItAcrossTokens) {
  const auto engine = Load(Options());
  // A bias makes the model say "ab" forever in spite of its weights: 'a' and 'b' alternate through
  // a large penalty.
  GenerationOptions options = Greedy(30);
  options.logit_bias = {{263, 100.0f}, {264, 100.0f}};
  options.frequency_penalty = 2.0f;
  auto free_run = NewSession(*engine)->Generate(Ids(5), options);
  ASSERT_TRUE(free_run.ok());
  const std::string text = free_run->text;
  ASSERT_GE(text.size(), 20u) << text;
  options.stop = {text.substr(7, 4), "never"};
  std::string streamed;
  auto result = NewSession(*engine)->Generate(Ids(5), options, [&](const TokenEvent& event) {
    streamed += event.text;
    return true;
  });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->reason, StopReason::kStopString);
  EXPECT_EQ(result->text, text.substr(0, text.find(options.stop[0])));
  EXPECT_EQ(streamed, result->text);
}

TEST_F(SessionTest, LogprobsAreTheModelsOwn) {
  EngineOptions exact = Options();
  exact.precision = Precision::kFloat32;  // scoring takes many rows at once, the answer one by one
  const auto engine = Load(exact);
  const auto prompt = Ids(9);
  GenerationOptions options = Greedy(4);
  options.top_logprobs = 3;
  std::vector<std::vector<TokenLogprob>> tops;
  auto result = NewSession(*engine)->Generate(prompt, options, [&](const TokenEvent& event) {
    tops.emplace_back(event.top.begin(), event.top.end());
    return true;
  });
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->logprobs.size(), 4u);
  const auto rows = ScoreAll(*NewSession(*engine), prompt);
  double total = 0;
  for (float x : rows.back()) total += std::exp(static_cast<double>(x));
  const double expected = rows.back()[result->tokens[0]] - std::log(total);
  EXPECT_NEAR(result->logprobs[0].logprob, expected, 1e-4);
  ASSERT_EQ(tops[0].size(), 3u);
  EXPECT_EQ(tops[0][0].token, result->tokens[0]) << "greedy takes the most probable";
  EXPECT_GE(tops[0][0].logprob, tops[0][1].logprob);
}

TEST_F(SessionTest, SeedsRepeatAndDiffer) {
  const auto engine = Load(Options());
  GenerationOptions options;
  options.temperature = 1.0f;
  options.top_k = 0;
  options.top_p = 1.0f;
  options.max_tokens = 20;
  options.ignore_end_tokens = true;
  const auto run = [&](uint64_t seed) {
    options.seed = seed;
    return NewSession(*engine)->Generate(Ids(8), options)->tokens;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST_F(SessionTest, BadRequestsAreOneSentence) {
  const auto engine = Load(Options());
  auto session = NewSession(*engine);
  const auto message = [&](const std::vector<int32_t>& ids, GenerationOptions o = Greedy(1)) {
    auto result = session->Generate(ids, o);
    EXPECT_FALSE(result.ok());
    return result.ok() ? "" : result.status().message();
  };
  EXPECT_THAT(message({}), HasSubstr("empty"));
  EXPECT_THAT(message({2, 100000}), HasSubstr("100000"));
  EXPECT_THAT(message({2, -1}), HasSubstr("-1"));
  EXPECT_THAT(message(Ids(300)), HasSubstr("300 tokens"));
  GenerationOptions bad = Greedy(1);
  bad.top_p = 2.0f;
  EXPECT_FALSE(message(Ids(3), bad).empty());
  EXPECT_TRUE(session->Generate(Ids(3), Greedy(1)).ok())
      << "a refused request leaves the session usable";
  EXPECT_EQ(session->Score({}, {}).code(), StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, PrefillCanBeCancelledBetweenSlices) {
  EngineOptions options = Options();
  options.prefill_chunk = 10;
  const auto engine = Load(options);
  auto session = NewSession(*engine);
  std::vector<int64_t> steps;
  auto result = session->Generate(Ids(45), Greedy(1), {}, [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 45);
    steps.push_back(done);
    return done < 20;
  });
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_THAT(steps, testing::ElementsAre(0, 10, 20));
  auto again = session->Generate(Ids(45), Greedy(3));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->stats.cached_tokens, 20) << "what was computed is not lost";
  EXPECT_THAT(again->tokens, ElementsAreArray(Fresh(*engine, Ids(45), 3)));
}

TEST_F(SessionTest, SessionsOnTwoThreadsDoNotDisturbEachOther) {
  const auto engine = Load(Options());
  const auto a = Fresh(*engine, Ids(30, 1), 15), b = Fresh(*engine, Ids(30, 2), 15);
  std::vector<int32_t> got_a, got_b;
  std::thread one([&] { got_a = Fresh(*engine, Ids(30, 1), 15); });
  std::thread two([&] { got_b = Fresh(*engine, Ids(30, 2), 15); });
  one.join();
  two.join();
  EXPECT_EQ(got_a, a);
  EXPECT_EQ(got_b, b);
}

TEST_F(SessionTest, ASessionOutlivesItsEngine) {
  auto engine = Load(Options());
  const auto expected = Fresh(*engine, Ids(10), 5);
  auto session = NewSession(*engine);
  engine.reset();
  EXPECT_EQ(session->Generate(Ids(10), Greedy(5))->tokens, expected);
}

}  // namespace
}  // namespace gemma3n
