#include "server/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gemma3n::server {
namespace {

using ::testing::ElementsAre;

class RouterTest : public ::testing::Test {
 protected:
  void Add(const char* method, const char* path, ErrorStyle style = ErrorStyle::kOpenAi,
           RouteTraits traits = {}) {
    router_.Add(
        method, path, style, [](const std::shared_ptr<Exchange>&) {}, traits);
  }
  Router router_;
};

TEST_F(RouterTest, ExactPathsGoBeforeFoldersAndLongerFoldersBeforeShorterOnes) {
  Add("GET", "/v1/*");
  Add("GET", "/v1/models/*");
  Add("GET", "/v1/models");
  EXPECT_EQ(router_.Find("GET", "/v1/models").route, "/v1/models");
  EXPECT_EQ(router_.Find("GET", "/v1/models/tiny").route, "/v1/models/*");
  EXPECT_EQ(router_.Find("GET", "/v1/models/a/b").route, "/v1/models/*");
  EXPECT_EQ(router_.Find("GET", "/v1/other").route, "/v1/*");
  EXPECT_EQ(router_.Find("GET", "/v1").route, "");
  EXPECT_EQ(router_.Find("GET", "/v1/modelsx").route, "/v1/*");
}

TEST_F(RouterTest, SaysWhichMethodsAPathHas) {
  Add("GET", "/x");
  Add("DELETE", "/x");
  const Router::Match match = router_.Find("POST", "/x");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_THAT(match.allowed, ElementsAre("DELETE", "GET"));
  EXPECT_TRUE(router_.Find("GET", "/y").allowed.empty());
}

TEST_F(RouterTest, HeadIsAnsweredByGet) {
  Add("GET", "/x", ErrorStyle::kOllama, {.open = true, .quick = true});
  Add("POST", "/p");
  const Router::Match match = router_.Find("HEAD", "/x");
  ASSERT_NE(match.handler, nullptr);
  EXPECT_TRUE(match.traits.open && match.traits.quick);
  EXPECT_EQ(match.style, ErrorStyle::kOllama);
  EXPECT_EQ(router_.Find("HEAD", "/p").handler, nullptr);
}

TEST_F(RouterTest, AnUnknownPathTakesTheFormOfTheApiItWasMeantFor) {
  EXPECT_EQ(router_.Find("GET", "/api/x").style, ErrorStyle::kOllama);
  EXPECT_EQ(router_.Find("GET", "/v1/messages/x").style, ErrorStyle::kAnthropic);
  EXPECT_EQ(router_.Find("GET", "/v1/x").style, ErrorStyle::kOpenAi);
}

using Json = nlohmann::json;

TEST(ErrorBodyTest, EachApiHasItsForm) {
  const Json openai = Json::parse(ErrorBody(ErrorStyle::kOpenAi, 400, "no"));
  EXPECT_EQ(openai, Json::parse(R"({"error": {"message": "no", "type": "invalid_request_error",
                                              "param": null, "code": null}})"));
  const Json anthropic = Json::parse(ErrorBody(ErrorStyle::kAnthropic, 413, "no"));
  EXPECT_EQ(anthropic, Json::parse(R"({"type": "error", "error": {"type": "request_too_large",
                                                                  "message": "no"}})"));
  EXPECT_EQ(Json::parse(ErrorBody(ErrorStyle::kOllama, 500, "no")), Json({{"error", "no"}}));
}

TEST(ErrorBodyTest, TypesFollowTheStatus) {
  const auto openai = [](int status) {
    return Json::parse(ErrorBody(ErrorStyle::kOpenAi, status, "x"))["error"];
  };
  EXPECT_EQ(openai(401)["code"], "invalid_api_key");
  EXPECT_EQ(openai(429)["type"], "rate_limit_error");
  EXPECT_EQ(openai(500)["type"], "server_error");
  const auto anthropic = [](int status) {
    return Json::parse(ErrorBody(ErrorStyle::kAnthropic, status, "x"))["error"]["type"];
  };
  EXPECT_EQ(anthropic(401), "authentication_error");
  EXPECT_EQ(anthropic(404), "not_found_error");
  EXPECT_EQ(anthropic(429), "rate_limit_error");
  EXPECT_EQ(anthropic(500), "api_error");
  EXPECT_EQ(anthropic(503), "overloaded_error");
}

TEST(ErrorBodyTest, AnyBytesGiveJson) {
  for (const ErrorStyle style :
       {ErrorStyle::kOpenAi, ErrorStyle::kAnthropic, ErrorStyle::kOllama}) {
    EXPECT_TRUE(Json::accept(ErrorBody(style, 400, "\xff\"\\\n\x01")));
  }
}

}  // namespace
}  // namespace gemma3n::server
