#include "formats/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemma3n {
namespace {

using ::testing::HasSubstr;

TEST(Json, ParsesAndNamesTheLine) {
  EXPECT_EQ(ParseJson(R"({"a":[1,2]})", "x").value()["a"][1], 2);
  const auto bad = ParseJson("{\n\"a\": 1,\n!}", "x.json");
  EXPECT_EQ(bad.status().code(), StatusCode::kCorruptFile);
  EXPECT_THAT(bad.status().message(), HasSubstr("x.json: not valid JSON at line 3"));
  EXPECT_FALSE(ParseJson("", "x").ok());
  EXPECT_FALSE(ParseJson("\xff", "x").ok());
  EXPECT_FALSE(ParseJson("1e999", "x").ok());
  EXPECT_FALSE(ParseJson("{} {}", "x").ok());
}

TEST(Json, BoundsNestingButNotBracketsInStrings) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(ParseJson(nested(64), "x").ok());
  EXPECT_THAT(ParseJson(nested(65), "x").status().message(), HasSubstr("nested 65 deep"));
  EXPECT_FALSE(ParseJson(std::string(10'000'000, '['), "x").ok());
  EXPECT_TRUE(
      ParseJson("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"", "x").ok());
}

TEST(Json, DumpReplacesInvalidUtf8) { EXPECT_EQ(DumpJson("a\xff"), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace gemma3n
