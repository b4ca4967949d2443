#include "gemma3n/engine.h"

#include <gmock/gmock.h>

#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {
namespace {

using testing::HasSubstr;

TEST_F(EngineTest, InfoSaysWhatWasLoaded) {
  EngineOptions options = Options();
  double last = -1;
  options.on_progress = [&](double fraction) {
    EXPECT_GE(fraction, last);
    last = fraction;
  };
  const auto engine = Load(options);
  EXPECT_EQ(last, 1);
  const ModelInfo& info = engine->info();
  EXPECT_EQ(info.format, "hub");
  EXPECT_EQ(info.layers, 6);
  EXPECT_EQ(info.hidden_size, 64);
  EXPECT_EQ(info.context, 256);
  EXPECT_EQ(info.threads, 2);
  EXPECT_FALSE(info.kernels.empty());
  EXPECT_GT(info.load_seconds, 0);
}

TEST_F(EngineTest, TextGoesThroughTheTokenizerBothWays) {
  const auto engine = Load(Options());
  const auto ids = engine->Tokenize("Hi é");
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(ids->front(), 2);
  EXPECT_EQ(engine->Detokenize(*ids), "Hi é");
  EXPECT_EQ(*engine->Tokenize("<end_of_turn>", false), std::vector<int32_t>{5});
}

TEST_F(EngineTest, ACheckpointWithoutATokenizerRunsOnIds) {
  EngineOptions options = Options();
  options.tokenizer = "";
  const auto engine = Load(options);
  EXPECT_FALSE(engine->info().has_tokenizer);
  EXPECT_EQ(engine->Tokenize("Hi").status().code(), StatusCode::kNotFound);
  const Message hello[] = {Message::Text("user", "Hi")};
  EXPECT_EQ(engine->ChatPrompt(hello).status().code(), StatusCode::kNotFound);
  auto result = NewSession(*engine)->Generate(Ids(10), Greedy(5));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens, NewSession(*Load(Options()))->Generate(Ids(10), Greedy(5))->tokens);
  EXPECT_EQ(result->text, "");
}

TEST_F(EngineTest, ChatPromptHasOneBosAndAsksForTheModelsTurn) {
  const auto engine = Load(Options());
  const Message messages[] = {Message::Text("user", " Hi ")};
  auto prompt = engine->ChatPrompt(messages);
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  EXPECT_EQ(prompt->text, "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n");
  const auto& ids = prompt->tokens;
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 1);
  EXPECT_EQ(ids[1], 4);
}

TEST_F(EngineTest, ChatPromptRefusesWhatTheTemplateRefuses) {
  const auto engine = Load(Options());
  const Message twice[] = {Message::Text("user", "a"), Message::Text("user", "b")};
  EXPECT_EQ(engine->ChatPrompt(twice).status().code(), StatusCode::kInvalidArgument);
  const Message broken[] = {Message::Text("user", "bad \xff byte")};
  const Status status = engine->ChatPrompt(broken).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("UTF-8"));
}

TEST_F(EngineTest, LoadErrorsNameWhatIsWrong) {
  EngineOptions options = Options();
  options.model = "";
  EXPECT_THAT(Engine::Load(options).status().message(), HasSubstr("no model"));
  options.model = "/nonexistent/model";
  EXPECT_THAT(Engine::Load(options).status().message(), HasSubstr("/nonexistent/model"));
  options = Options();
  options.prefill_chunk = 0;
  EXPECT_THAT(Engine::Load(options).status().message(), HasSubstr("prefill chunk"));
  options = Options();
  options.threads = -1;
  EXPECT_THAT(Engine::Load(options).status().message(), HasSubstr("threads"));
  options = Options();
  options.chat_template = "/nonexistent.jinja";
  EXPECT_THAT(Engine::Load(options).status().message(), HasSubstr("/nonexistent.jinja"));
}

TEST_F(EngineTest, SizesThatDoNotNestAreRefused) {
  const auto engine = Load(Options());
  EXPECT_EQ(engine->NamedSize("e2b").status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(engine->NamedSize("huge").status().message(), HasSubstr("huge"));
  SessionOptions options;
  options.size.mlp_widths = {97};
  EXPECT_THAT(engine->NewSession(options).status().message(), HasSubstr("97"));
  options.size.mlp_widths = {48, 48};
  EXPECT_THAT(engine->NewSession(options).status().message(), HasSubstr("6 layers"));
  options.size.mlp_widths = {};
  options.size.skip_layers = {6};
  EXPECT_THAT(engine->NewSession(options).status().message(), HasSubstr("0 to 5"));
  options.size.skip_layers = {0, 1, 3};
  EXPECT_THAT(engine->NewSession(options).status().message(), HasSubstr("sliding"))
      << "layer 5 would have no sliding layer to share from";
  options.size.skip_layers = {};
  options.context = 257;
  EXPECT_THAT(engine->NewSession(options).status().message(), HasSubstr("256"));
}

TEST_F(EngineTest, ANestedSizeRunsBesideTheWholeModel) {
  const auto engine = Load(Options());
  SessionOptions half;
  half.size.mlp_widths = {48};
  half.size.skip_layers = {1};
  auto small = NewSession(*engine, half);
  auto whole = NewSession(*engine);
  const auto prompt = Ids(20);
  const auto a = ScoreAll(*small, prompt), b = ScoreAll(*whole, prompt);
  EXPECT_NE(a.back(), b.back());
  EXPECT_EQ(a, ScoreAll(*small, prompt)) << "the same session again";
  EXPECT_EQ(b, ScoreAll(*NewSession(*engine), prompt)) << "the whole model is untouched";
}

}  // namespace
}  // namespace gemma3n
