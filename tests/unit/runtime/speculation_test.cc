// Guessing ahead changes no answer: greedy or drawn, whatever ends it, and what the session keeps.
#include <gmock/gmock.h>

#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {
namespace {

using testing::ElementsAreArray;

class SpeculationTest : public EngineTest {
 protected:
  EngineOptions Options() const {
    EngineOptions options = EngineTest::Options();
    options.threads = 1;
    return options;
  }

  // An answer of a few different tokens, so that guesses are made, right ones and wrong ones.
  static GenerationOptions Repetitive(uint64_t seed, float temperature = 0.8f) {
    GenerationOptions options;
    options.temperature = temperature;
    options.seed = seed;
    options.max_tokens = 60;
    options.ignore_end_tokens = true;
    for (int32_t id : {263, 264, 70, 71}) options.logit_bias[id] = 100.0f;
    return options;
  }

  struct Run {
    GenerationResult result;
    std::vector<int32_t> kept;
    std::string streamed;
  };
  Run Answer(const Engine& engine, GenerationOptions options, int drafts,
             const SessionOptions& session_options = {}) {
    auto session = NewSession(engine, session_options);
    options.draft_tokens = drafts;
    Run run;
    auto result = session->Generate(Ids(20), options, [&](const TokenEvent& event) {
      run.streamed += event.text;
      return true;
    });
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (result.ok()) run.result = *std::move(result);
    run.kept.assign(session->tokens().begin(), session->tokens().end());
    return run;
  }

  void ExpectSame(const Run& guessed, const Run& plain) {
    EXPECT_THAT(guessed.result.tokens, ElementsAreArray(plain.result.tokens));
    EXPECT_EQ(guessed.result.text, plain.result.text);
    EXPECT_EQ(guessed.streamed, plain.streamed);
    EXPECT_EQ(guessed.result.reason, plain.result.reason);
    EXPECT_THAT(guessed.kept, ElementsAreArray(plain.kept));
    EXPECT_EQ(plain.result.stats.drafted_tokens, 0);
  }
};

TEST_F(SpeculationTest, TheSameDrawsAsWithout) {
  int64_t drafted = 0, accepted = 0;
  for (int64_t chunk : {1, 2, 5, 512}) {
    EngineOptions engine_options = Options();
    engine_options.prefill_chunk = chunk;
    const auto engine = Load(engine_options);
    for (float temperature : {0.0f, 1.0f, 5.0f, 15.0f}) {
      const Run plain = Answer(*engine, Repetitive(1, temperature), 0);
      for (int drafts : {1, 7}) {
        const Run guessed = Answer(*engine, Repetitive(1, temperature), drafts);
        ExpectSame(guessed, plain);
        drafted += guessed.result.stats.drafted_tokens;
        accepted += guessed.result.stats.accepted_tokens;
        if (chunk == 1) {
          EXPECT_EQ(guessed.result.stats.drafted_tokens, 0) << "no room for a guess";
        }
      }
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(drafted, accepted + 30) << "wrong guesses have to be among them";
}

TEST_F(SpeculationTest, WhateverEndsTheAnswer) {
  const auto engine = Load(Options());
  const Run whole = Answer(*engine, Repetitive(1), 0);
  for (int64_t most = 0; most < 30; most += 3) {
    GenerationOptions options = Repetitive(1);
    options.max_tokens = most;
    ExpectSame(Answer(*engine, options, 7), Answer(*engine, options, 0));
  }
  for (int64_t context = 24; context < 50; context += 3) {
    GenerationOptions options = Repetitive(1);
    options.max_tokens = -1;
    const SessionOptions small{.context = context, .size = {}};
    const Run guessed = Answer(*engine, options, 7, small);
    EXPECT_EQ(guessed.result.reason, StopReason::kContextFull);
    ExpectSame(guessed, Answer(*engine, options, 0, small));
  }
  for (size_t begin = 0; begin + 6 < whole.result.text.size(); begin += 9) {
    GenerationOptions options = Repetitive(1);
    options.stop = {whole.result.text.substr(begin, 6)};
    const Run guessed = Answer(*engine, options, 7);
    EXPECT_EQ(guessed.result.reason, StopReason::kStopString);
    ExpectSame(guessed, Answer(*engine, options, 0));
  }
  for (const int32_t last : {263, 264, 70, 71}) {
    GenerationOptions options = Repetitive(1);
    options.stop_tokens = {last};
    ExpectSame(Answer(*engine, options, 7), Answer(*engine, options, 0));
  }
}

TEST_F(SpeculationTest, PenaltiesSeeEveryToken) {
  const auto engine = Load(Options());
  GenerationOptions options = Repetitive(3);
  options.frequency_penalty = 0.4f;
  options.repetition_penalty = 1.1f;
  options.top_logprobs = 2;
  const Run guessed = Answer(*engine, options, 7), plain = Answer(*engine, options, 0);
  ExpectSame(guessed, plain);
  ASSERT_EQ(guessed.result.logprobs.size(), plain.result.logprobs.size());
  for (size_t i = 0; i < plain.result.logprobs.size(); ++i)
    EXPECT_EQ(guessed.result.logprobs[i].logprob, plain.result.logprobs[i].logprob);
}

TEST_F(SpeculationTest, ANextTurnContinuesFromWhatWasKept) {
  const auto engine = Load(Options());
  std::vector<int32_t> answers[2];
  for (int drafts : {0, 7}) {
    auto session = NewSession(*engine);
    GenerationOptions options = Repetitive(5);
    options.draft_tokens = drafts;
    auto first = session->Generate(Ids(20), options);
    ASSERT_TRUE(first.ok());
    std::vector<int32_t> conversation = Ids(20);
    conversation.insert(conversation.end(), first->tokens.begin(), first->tokens.end());
    conversation.push_back(99);
    auto second = session->Generate(conversation, options);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second->stats.cached_tokens, 79) << "all but the last of the answer, and the new one";
    answers[drafts > 0] = second->tokens;
  }
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_F(SpeculationTest, OutOfRangeIsRefused) {
  const auto engine = Load(Options());
  for (int drafts : {-1, 8}) {
    GenerationOptions options = Greedy(1);
    options.draft_tokens = drafts;
    const auto result = NewSession(*engine)->Generate(Ids(3), options);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace gemma3n
