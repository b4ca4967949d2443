// Schemas and documents that would take exponential time or memory if they were let.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

#include "constraint/constraint.h"
#include "constraint/token_mask.h"
#include "tests/unit/constraint/document.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += (i > 0 ? "," : "") + text;
  return all;
}

TEST(Limits, ProductsOfChoicesAreRefused) {
  std::string choices;
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    choices += (i > 0 ? "," : "");
    choices += R"({"anyOf":[{"required":["a)" + n + R"("]},{"required":["b)" + n + R"("]}]})";
  }
  const auto status = CompileSchema(R"({"type":"object","allOf":[)" + choices + "]}").status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
}

TEST(Limits, PatternsThatRepeatRepetitionsAreRefused) {
  for (const char* pattern : {"((a{0,100}){0,100}){0,100}", "(.{1,1000}){1,1000}",
                              "^(a?){5000}b{9999}c{9999}d{9999}$", "(x|.y){4000}[^a]{4000}"}) {
    const auto status = CompileSchema(R"({"pattern":")" + std::string(pattern) + "\"}").status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << pattern;
  }
}

TEST(Limits, AmbiguousDocumentsKeepTheirFirstReadings) {
  // Each level may be read as either branch: 2^60 readings.
  const char* schema = R"({"$defs":{"e":{"anyOf":[{"type":"null"},
    {"type":"object","properties":{"a":{"$ref":"#/$defs/e"},"b":{"const":1}}},
    {"type":"object","properties":{"a":{"$ref":"#/$defs/e"},"b":{"const":2}}}]}},"$ref":"#/$defs/e"})";
  std::string open, close;
  for (int i = 0; i < 60; ++i) {
    open += R"({"a":)";
    close += "}";
  }
  EXPECT_EQ(Read(schema, open + "null" + close), "whole");
}

TEST(Limits, DeepSchemasAndManyPropertiesAreFine) {
  std::string properties;
  for (int i = 0; i < 1000; ++i) {
    properties += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + R"(":{"type":"integer"})";
  }
  const std::string wide = R"({"properties":{)" + properties + R"(},"additionalProperties":false})";
  EXPECT_EQ(Read(wide, R"({"p7":1,"p998":2,"p999":3})"), "whole");
  EXPECT_EQ(Read(wide, R"({"p7":1,"p6")"), "not byte 11");
  std::string deep = R"({"type":"null"})";
  for (int i = 0; i < 25; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_EQ(Read(deep, std::string(25, '[') + std::string(25, ']')), "whole");
  EXPECT_THAT(Read(std::string(100, '[') + std::string(100, ']'), ""),
              HasSubstr("nested 100 deep"));
  const std::string many = R"({"enum":[)" + Repeated("\"abcdefgh\"", 3000) + "]}";
  EXPECT_EQ(Read(many, "\"abcdefgh\""), "whole");
}

// Every text is in another set of readings: their number is bounded, and some token always comes.
TEST(Limits, MasksOfManyReadings) {
  std::string choices;
  for (int i = 0; i < 120; ++i) {
    const char a = static_cast<char>('a' + i % 26), b = static_cast<char>('a' + i / 5);
    choices += (i > 0 ? R"(,{"pattern":")" : R"({"pattern":")");
    choices += std::string(1, a) + ".{" + std::to_string(i % 7) + "}" + b + "\"}";
  }
  std::vector<std::string> texts = {""};
  for (int byte = 0; byte < 256; ++byte) texts.push_back(std::string(1, static_cast<char>(byte)));
  uint64_t seed = 1;
  for (int i = 0; i < 60000; ++i) {
    std::string text;
    for (int k = 0; k < 8; ++k) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      text += static_cast<char>('a' + (seed >> 40) % 26);
    }
    texts.push_back(text);
  }
  const auto index = *TokenIndex::Build(texts, {0});
  const auto program = *CompileSchema(R"({"type":"string","anyOf":[)" + choices + "]}");
  Reader reader(program);
  const Reader::State inside = reader.Next(reader.start(), '"');
  const TokenMask mask = TokenMask::Of(reader, inside, *index);
  EXPECT_GT(reader.bytes(), size_t{96} << 20);
  EXPECT_LT(reader.bytes(), size_t{110} << 20);
  std::vector<float> logits(index->size(), 1.0f);
  mask.Apply(logits, {});
  EXPECT_EQ(logits['a' + 1], 1.0f);
  EXPECT_EQ(logits[1 + 1], -std::numeric_limits<float>::infinity());
}

// One constraint serves many answers at once.
TEST(Limits, AnswersOfManyThreads) {
  std::vector<std::string> texts = {""};
  for (int byte = 0; byte < 256; ++byte) texts.push_back(std::string(1, static_cast<char>(byte)));
  const auto index = *TokenIndex::Build(texts, {0});
  const auto constraint = *Constraint::Compile(R"({"type":"string","maxLength":9000})", index);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      ConstraintState state(constraint);
      std::vector<float> logits(257, 0.0f);
      if (!state.Accept('"' + 1)) ++wrong[static_cast<size_t>(t)];
      for (int i = 0; i < 9000; ++i) {
        if (!state.Accept('a' + 1 + t)) ++wrong[static_cast<size_t>(t)];
        if (i % 1000 == 0) state.Mask(logits);
      }
      if (state.Allows('a' + 1) || !state.Accept('"' + 1) || !state.Final())
        ++wrong[static_cast<size_t>(t)];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

TEST(Limits, TokenIndexRefusesWhatItCannotHold) {
  EXPECT_THAT(TokenIndex::Build({"a"}, {}).status().message(), HasSubstr("at least one end token"));
  EXPECT_THAT(TokenIndex::Build({"a"}, {1}).status().message(),
              HasSubstr("outside the vocabulary"));
  EXPECT_THAT(TokenIndex::Build({"a", std::string(70000, 'x')}, {0}).status().message(),
              HasSubstr("65536 bytes in a token"));
}

}  // namespace
}  // namespace gemma3n
