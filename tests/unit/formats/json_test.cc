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

TEST(Json, KeepsOrderAndBoundsWhatIsBuilt) {
  EXPECT_EQ(DumpOrderedJson(ParseOrderedJson(R"({"b":1,"a":{"d":[],"c":2}})", "x").value()),
            R"({"b":1,"a":{"d":[],"c":2}})");
  const JsonLimits limits{.depth = 3, .values = 7, .keys = 2};
  EXPECT_TRUE(ParseOrderedJson(R"({"a":[{}],"b":[1,2]})", "x", limits).ok());
  EXPECT_THAT(ParseOrderedJson("[[[[]]]]", "x", limits).status().message(),
              HasSubstr("nested 4 deep, expected at most 3"));
  EXPECT_THAT(ParseOrderedJson("[1,2,3,4,5,6,7]", "x", limits).status().message(),
              HasSubstr("JSON of 8 values, expected at most 7"));
  EXPECT_THAT(
      ParseOrderedJson(R"([{"a":1},{"a":1,"b":{},"c":3}])", "x", {.keys = 2}).status().message(),
      HasSubstr("a JSON object of 3 keys, expected at most 2"));
  EXPECT_TRUE(
      ParseOrderedJson(R"([{"a":1,"b":2},{"a":":,{:::","b":{"c":1}}])", "x", {.keys = 2}).ok());
  EXPECT_FALSE(ParseOrderedJson("]}]}[{:::", "x").ok());
}

TEST(Json, DumpReplacesInvalidUtf8) { EXPECT_EQ(DumpJson("a\xff"), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace gemma3n
