// Answers held to a JSON Schema, through real passes of a small random model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {
namespace {

using Json = nlohmann::ordered_json;

class ConstraintTest : public EngineTest {
 protected:
  ConstraintTest() : engine_(Load(Options())), session_(NewSession(*engine_)) {}

  GenerationResult Generate(const std::string& schema, uint64_t seed,
                            GenerationOptions options = {}) {
    options.json_schema = schema;
    options.seed = seed;
    if (!options.temperature) options.temperature = 1.5f;
    options.top_k = 0;
    options.top_p = 1.0f;
    Prompt prompt;
    prompt.tokens = {2, 30, 40, 50};
    auto result = session_->Generate(prompt, options);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : GenerationResult();
  }

  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Session> session_;
};

constexpr const char* kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0,
    "maximum":150},"tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":3}},
    "required":["name","age"],"additionalProperties":false})";

TEST_F(ConstraintTest, AnswersAreValuesOfTheSchema) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const GenerationResult result = Generate(kSchema, seed);
    EXPECT_EQ(result.reason, StopReason::kEndToken);
    const Json value = Json::parse(result.text, nullptr, false);
    ASSERT_TRUE(value.is_object()) << result.text;
    EXPECT_TRUE(value.at("name").is_string());
    EXPECT_LE(value.at("age").get<int>(), 150);
    EXPECT_GE(value.at("age").get<int>(), 0);
    for (const auto& [key, member] : value.items())
      EXPECT_TRUE(key == "name" || key == "age" || key == "tags") << result.text;
  }
}

TEST_F(ConstraintTest, GreedyToo) {
  GenerationOptions options;
  options.temperature = 0;
  options.logit_bias = {{263, 50.0f}};  // the model would say "a" for ever
  const GenerationResult result = Generate(R"({"type":"string","maxLength":5})", 0, options);
  EXPECT_EQ(result.text, "\"aaaaa\"");
  EXPECT_EQ(result.reason, StopReason::kEndToken);
}

TEST_F(ConstraintTest, SpeculationChangesNothing) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    GenerationOptions without, with;
    without.draft_tokens = 0;
    with.draft_tokens = 7;
    const std::string schema =
        R"({"type":"array","items":{"enum":["abab","abba"]},"minItems":9,"maxItems":9})";
    const GenerationResult plain = Generate(schema, seed, without);
    const GenerationResult guessed = Generate(schema, seed, with);
    EXPECT_EQ(plain.tokens, guessed.tokens);
    EXPECT_GT(guessed.stats.accepted_tokens, 0);
    EXPECT_EQ(Json::parse(guessed.text).size(), 9u);
  }
}

TEST_F(ConstraintTest, LogprobsAreTheModelsOwn) {
  GenerationOptions options;
  options.top_logprobs = 264;
  const GenerationResult result = Generate(R"({"const":"a"})", 3, options);
  EXPECT_EQ(result.text, "\"a\"");
  ASSERT_EQ(result.logprobs.size(), 3u);
  for (const TokenLogprob& logprob : result.logprobs) EXPECT_LT(logprob.logprob, 0.0f);
}

TEST_F(ConstraintTest, MaxTokensMayCutAValue) {
  GenerationOptions options;
  options.max_tokens = 4;
  const GenerationResult result = Generate(R"({"const":"abcdef"})", 0, options);
  EXPECT_EQ(result.text, "\"abc");
  EXPECT_EQ(result.reason, StopReason::kMaxTokens);
}

TEST_F(ConstraintTest, SchemasThatAreNoneAreRefused) {
  GenerationOptions options;
  options.json_schema = R"({"not":{}})";
  Prompt prompt;
  prompt.tokens = {2, 30};
  const auto refused = session_->Generate(prompt, options);
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(refused.status().message(), R"(JSON Schema: #: "not" is not supported)");
}

}  // namespace
}  // namespace gemma3n
