#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api/openai_logprobs.h"
#include "tests/unit/server/openai_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Keeps all that was asked.
class ListGenerator : public Generator {
 public:
  void Run(Generation g, std::shared_ptr<Exchange> e, std::shared_ptr<Sink> s) override {
    generations.push_back(std::move(g));
    e->OnGone([this] { ++gone; });
    sinks.push_back(std::move(s));
    if (fails) sinks.back()->OnError(429, Error(StatusCode::kResourceExhausted, "full"));
  }
  Result<Prompt> ReadPrompt(Generation) override { return Prompt(); }

  std::vector<Generation> generations;
  std::vector<std::shared_ptr<Sink>> sinks;
  int gone = 0;
  bool fails = false;
};

class OpenAiCompletions : public OpenAiTest {
 protected:
  void SetUp() override {
    OpenAiTest::SetUp();
    context_.generator = &list_;
  }
  std::shared_ptr<FakeExchange> Complete(const std::string& fields) {
    return Call(HandleCompletion, R"({"model":"tiny",)" + fields + "}");
  }
  int32_t Id(const std::string& text) { return engine_->Tokenize(text, false).value().at(0); }

  ListGenerator list_;
};

TEST_F(OpenAiCompletions, ReadsEveryKindOfPrompt) {
  Complete(R"("prompt":"a b")");
  Complete(R"("prompt":[5,6])");
  Complete(R"("prompt":["x","y"])");
  Complete(R"("prompt":[[5],[6,7]],"max_tokens":3,"n":2,"stop":"z")");
  ASSERT_EQ(list_.generations.size(), 6);
  EXPECT_EQ(list_.generations[0].text, "a b");
  EXPECT_EQ(list_.generations[0].options.max_tokens, 16);
  EXPECT_THAT(*list_.generations[1].tokens, ElementsAre(5, 6));
  EXPECT_EQ(list_.generations[3].text, "y");
  EXPECT_THAT(*list_.generations[5].tokens, ElementsAre(6, 7));
  EXPECT_EQ(list_.generations[5].options.max_tokens, 3);
  EXPECT_EQ(list_.generations[5].n, 2);
  EXPECT_THAT(list_.generations[5].options.stop, ElementsAre("z"));
}

TEST_F(OpenAiCompletions, RefusesNamingTheParameter) {
  ExpectRefused(*Complete(R"("max_tokens":1)"), "prompt", "found nothing");
  ExpectRefused(*Complete(R"("prompt":[])"), "prompt", "found []");
  ExpectRefused(*Complete(R"("prompt":[1,"a"])"), "prompt", "found [1,\"a\"]");
  ExpectRefused(*Complete(R"("prompt":[-1])"), "prompt", "token ids");
  ExpectRefused(*Complete(R"("prompt":[1.5])"), "prompt", "token ids");
  ExpectRefused(*Complete(R"("prompt":"a","suffix":"b")"), "suffix", "found \"b\"");
  ExpectRefused(*Complete(R"("prompt":"a","n":3,"best_of":2)"), "best_of", "n or more");
  ExpectRefused(*Complete(R"("prompt":"a","best_of":2,"stream":true)"), "best_of", "stream");
  ExpectRefused(*Complete(R"("prompt":"a","logprobs":21)"), "logprobs", "0 to 20");
  ExpectRefused(*Complete(R"("prompt":"a","echo":true,"logprobs":1,"stream":true)"), "echo",
                "stream");
  EXPECT_TRUE(list_.generations.empty());
}

TEST_F(OpenAiCompletions, EchoesAndScores) {
  const auto exchange = Complete(R"("prompt":"a b","echo":true,"logprobs":1,"max_tokens":1)");
  EXPECT_TRUE(list_.generations[0].prompt_logprobs);
  EXPECT_TRUE(list_.generations[0].options.ignore_end_tokens);
  Sink& sink = *list_.sinks[0];
  sink.OnStart(3);
  sink.OnToken(0, FakeToken(Id(" c"), " c", -0.25f).event());
  AnswerEnd end = FakeEnd(StopReason::kMaxTokens);
  const int32_t bos = engine_->Tokenize("")->at(0), a = Id("a"), b = Id(" b"), c = Id(" c");
  // What is less probable than its alternative, and what is most probable.
  end.outcome.prompt = {{bos, 0, {}}, {a, -3, {{b, -1}}}, {b, -1.5f, {{b, -1.5f}}}};
  sink.OnEnd(0, std::move(end));
  sink.OnFinish({.prompt_tokens = 3, .completion_tokens = 1});
  const Json choice = exchange->json()["choices"][0];
  EXPECT_EQ(choice["text"], "a b c");
  const Json& logprobs = choice["logprobs"];
  // Without the <bos> that the client did not write.
  EXPECT_EQ(logprobs["tokens"], Json({"a", TokenTextOf(*engine_, b), TokenTextOf(*engine_, c)}));
  EXPECT_EQ(logprobs["token_logprobs"], Json({-3.0, -1.5, -0.25}));
  EXPECT_EQ(logprobs["top_logprobs"][0].size(), 2);
  EXPECT_EQ(logprobs["top_logprobs"][0]["a"], -3.0);
  EXPECT_EQ(logprobs["top_logprobs"][1].size(), 1);
  EXPECT_EQ(logprobs["text_offset"][1], 1);
  EXPECT_EQ(choice["finish_reason"], "length");
}

TEST_F(OpenAiCompletions, EchoOfIdsBeginsWithoutAProbability) {
  const auto exchange =
      Complete(R"("prompt":[[2,5],[2,6]],"echo":true,"logprobs":0,"max_tokens":0)");
  EXPECT_FALSE(list_.generations[0].options.ignore_end_tokens);
  for (int i = 0; i < 2; ++i) {
    list_.sinks[i]->OnStart(2);
    AnswerEnd end = FakeEnd(StopReason::kMaxTokens);
    end.outcome.prompt = {{2, 0, {}}, {5 + i, -2.0f - i, {}}};
    list_.sinks[i]->OnEnd(0, std::move(end));
    EXPECT_FALSE(exchange->finished);
    list_.sinks[i]->OnFinish({.prompt_tokens = 2});
  }
  const Json answer = exchange->json();
  ASSERT_EQ(answer["choices"].size(), 2);
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 4);
  EXPECT_EQ(answer["choices"][1]["index"], 1);
  const Json& logprobs = answer["choices"][1]["logprobs"];
  EXPECT_EQ(logprobs["token_logprobs"], Json({nullptr, -3.0}));
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  EXPECT_EQ(logprobs["tokens"][0], "<bos>");
}

TEST_F(OpenAiCompletions, BestOfShowsTheMostProbable) {
  const auto exchange = Complete(R"("prompt":"a","n":2,"best_of":3)");
  EXPECT_EQ(list_.generations[0].n, 3);
  Sink& sink = *list_.sinks[0];
  const float logprobs[] = {-2, -3, -1};
  for (int i = 0; i < 3; ++i) {
    sink.OnToken(i, FakeToken(5, std::string(1, static_cast<char>('x' + i))).event());
    AnswerEnd end = FakeEnd();
    end.outcome.result.logprobs = {{5, logprobs[i]}};
    sink.OnEnd(i, std::move(end));
  }
  sink.OnFinish({});
  const Json choices = exchange->json()["choices"];
  ASSERT_EQ(choices.size(), 2);
  EXPECT_EQ(choices[0]["text"], "z");
  EXPECT_EQ(choices[1]["text"], "x");
  EXPECT_EQ(choices[1]["index"], 1);
  EXPECT_TRUE(choices[0]["logprobs"].is_null());
}

TEST_F(OpenAiCompletions, StreamsSeveralPrompts) {
  const auto exchange = Complete(R"("prompt":["a","b"],"stream":true,"logprobs":0)");
  list_.sinks[0]->OnStart(2);
  list_.sinks[1]->OnStart(2);
  list_.sinks[1]->OnToken(0, FakeToken(Id("x"), "x").event());
  list_.sinks[1]->OnToken(0, FakeToken(Id("y"), "y").event());
  for (int i = 0; i < 2; ++i) {
    list_.sinks[i]->OnEnd(0, FakeEnd());
    list_.sinks[i]->OnFinish({});
  }
  const auto events = exchange->events();
  ASSERT_EQ(events.size(), 5);
  const Json second = Json::parse(events[1])["choices"][0];
  EXPECT_EQ(second["index"], 1);
  EXPECT_EQ(second["text"], "y");
  EXPECT_EQ(second["logprobs"]["text_offset"][0], 1);
  EXPECT_EQ(Json::parse(events[3])["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(events[4], "[DONE]");
}

TEST_F(OpenAiCompletions, OneFailureEndsAll) {
  const auto exchange = Complete(R"("prompt":["a","b","c"])");
  list_.sinks[0]->OnStart(1);
  list_.sinks[1]->OnError(500, Error(StatusCode::kInternal, "a defect"));
  list_.sinks[2]->OnError(500, Error(StatusCode::kInternal, "another"));
  EXPECT_EQ(list_.gone, 3);
  EXPECT_EQ(exchange->http_status, 500);
  EXPECT_THAT(exchange->body, HasSubstr("a defect"));
  list_.fails = true;
  EXPECT_EQ(Complete(R"("prompt":["a","b","c"])")->http_status, 429);
  EXPECT_EQ(list_.generations.size(), 4);  // the rest was not tried
}

}  // namespace
}  // namespace gemma3n::server
