// Random walks over random schemas: whatever tokens are drawn among those that may come, the
// document is one that a strict parser takes and that an independent validator allows.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "constraint/constraint.h"
#include "formats/json.h"
#include "tests/unit/constraint/document.h"
#include "tests/unit/constraint/random_schema.h"
#include "tests/unit/constraint/validator.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The tokens of the small model: words, bytes, and special ones.
struct Vocabulary {
  Vocabulary() : tokenizer(*Tokenizer::Open(GEMMA3N_SOURCE_DIR "/models/tiny/tokenizer.json")) {
    std::vector<std::string> texts;
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
      texts.push_back(tokenizer.TokenBytes(id));
    end = *tokenizer.eos();
    index = *TokenIndex::Build(std::move(texts), {end});
  }
  Tokenizer tokenizer;
  int32_t end = 0;
  std::shared_ptr<const TokenIndex> index;
};

const Vocabulary& Words() {
  static const Vocabulary vocabulary;
  return vocabulary;
}

// Draws among the tokens that may come. What brings a document to its end is preferred with time.
std::string Walk(std::shared_ptr<const Constraint> constraint, RandomSchema& random) {
  const Vocabulary& words = Words();
  ConstraintState state(std::move(constraint));
  std::string text;
  std::vector<float> logits(words.index->size() + 7);
  for (int step = 0;; ++step) {
    std::fill(logits.begin(), logits.end(), 0.0f);
    state.Mask(logits);
    EXPECT_EQ(state.Complete(), logits[static_cast<size_t>(words.end)] == 0.0f);
    std::vector<int32_t> allowed, closing;
    for (size_t id = 0; id < logits.size(); ++id) {
      if (logits[id] == kNever) continue;
      const auto token = static_cast<int32_t>(id);
      EXPECT_TRUE(state.Allows(token)) << words.index->Text(token);
      allowed.push_back(token);
      const std::string_view bytes = words.index->Text(token);
      if (bytes == "\"" || bytes == "}" || bytes == "]" || bytes == "1" || bytes == "x")
        closing.push_back(token);
    }
    // What the mask leaves out may not come either.
    for (int i = 0; i < 20; ++i) {
      const auto token = static_cast<int32_t>(random.Below(static_cast<uint32_t>(logits.size())));
      EXPECT_EQ(state.Allows(token), logits[static_cast<size_t>(token)] == 0.0f)
          << text << " " << token;
    }
    EXPECT_FALSE(allowed.empty()) << text;
    if (allowed.empty()) return text;
    if (state.Complete() && (state.Final() || random.OneIn(3) || step > 30)) return text;
    const auto& from =
        !closing.empty() && random.Below(60) < static_cast<uint32_t>(step) ? closing : allowed;
    const int32_t token = from[random.Below(static_cast<uint32_t>(from.size()))];
    if (token == words.end) return text;
    EXPECT_TRUE(state.Accept(token));
    text += words.index->Text(token);
    if (step > 3000) {
      ADD_FAILURE() << "no end in sight: " << text;
      return text;
    }
  }
}

TEST(Walk, DocumentsAreValuesOfTheirSchemas) {
  int compiled = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    RandomSchema random(seed);
    const auto schema = random.Document();
    const std::string text = schema.dump();
    auto constraint = Constraint::Compile(text, Words().index);
    if (!constraint.ok()) {
      EXPECT_EQ(constraint.status().code(), StatusCode::kInvalidArgument) << text;
      continue;
    }
    ++compiled;
    const Validator validator(nlohmann::json::parse(text));
    for (int walk = 0; walk < 3; ++walk) {
      const std::string document = Walk(*constraint, random);
      const auto value = ParseJson(document, "walk", 65);
      ASSERT_TRUE(value.ok()) << text << "\n" << document << "\n" << value.status().message();
      ASSERT_TRUE(validator.Allows(*value)) << text << "\n" << document;
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(compiled, 120);
}

TEST(Walk, TokenizedDocumentsAreAllowed) {
  const char* schema =
      R"({"type":"object","properties":{"name":{"type":"string"},"size":{"type":"number"},
    "tags":{"type":"array","items":{"type":"string"}},"more":{}},"required":["name"]})";
  const auto constraint = *Constraint::Compile(schema, Words().index);
  for (const char* document :
       {R"({"name":"Ada Lovelace","size":1.75,"tags":["a","b c"],"more":{"x":[null,true]}})",
        R"({"name": "Zoë 😀 \"quoted\"\n", "tags": []})",
        "{\n  \"name\": \"indented\",\n  \"tags\": [\n    \"one\",\n    \"two\"\n  ],\n  "
        "\"other\": 1\n}",
        R"({"name": "a \\ b \u00e9", "size": -1e-5})"}) {
    ConstraintState state(constraint);
    std::vector<float> logits(Words().index->size());
    for (const int32_t token : Words().tokenizer.Encode(document, false)) {
      std::fill(logits.begin(), logits.end(), 0.0f);
      state.Mask(logits);
      EXPECT_EQ(logits[static_cast<size_t>(token)], 0.0f) << document;
      ASSERT_TRUE(state.Accept(token)) << document << " at " << Words().index->Text(token);
    }
    EXPECT_TRUE(state.Complete()) << document;
    EXPECT_TRUE(state.Final()) << document;
    EXPECT_TRUE(state.Accept(Words().end));
  }
}

TEST(Walk, SpecialTokensNeverAndEndsOnlyAtTheEnd) {
  ConstraintState state(*Constraint::Compile(R"({"const":1})", Words().index));
  EXPECT_FALSE(state.Accept(Words().end));
  const int32_t special = *Words().tokenizer.Find("<start_of_turn>");
  EXPECT_FALSE(state.Accept(special));
  EXPECT_FALSE(state.Accept(-1));
  EXPECT_FALSE(state.Accept(1 << 30));
  EXPECT_TRUE(state.Accept(*Words().tokenizer.Find("1")));
  EXPECT_TRUE(state.Final());
  EXPECT_TRUE(state.Accept(Words().end));
}

// More states than a constraint remembers: answers go on in a fresh memory.
TEST(Walk, LongAnswersDoNotGrowForEver) {
  const auto constraint =
      *Constraint::Compile(R"({"type":"string","maxLength":60000})", Words().index);
  ConstraintState state(constraint);
  const int32_t quote = *Words().tokenizer.Find("\""), letter = *Words().tokenizer.Find("a");
  ASSERT_TRUE(state.Accept(quote));
  for (int i = 0; i < 60000; ++i) ASSERT_TRUE(state.Accept(letter));
  EXPECT_FALSE(state.Allows(letter));
  EXPECT_TRUE(state.Accept(quote));
  EXPECT_TRUE(state.Final());
}

}  // namespace
}  // namespace gemma3n
