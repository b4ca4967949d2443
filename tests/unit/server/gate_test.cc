#include "server/http/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemma3n::server {
namespace {

using ::testing::Contains;
using ::testing::Pair;

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    const auto nothing = [](const std::shared_ptr<Exchange>&) {};
    router_.Add("GET", "/open", ErrorStyle::kOpenAi, nothing, {.open = true, .quick = true});
    router_.Add("POST", "/ask", ErrorStyle::kAnthropic, nothing);
  }
  // The status of the refusal, 0 where the request is let in.
  int Ask(std::string method, std::string path, std::map<std::string, std::string> headers = {}) {
    if (!gate_) gate_.emplace(router_, options_);
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    admission_ = gate_->Admit(request);
    return admission_.answer ? admission_.answer->status : 0;
  }

  Router router_;
  GateOptions options_;
  std::optional<Gate> gate_;
  Admission admission_;
};

TEST_F(GateTest, WithoutKeysEverybodyMayAsk) {
  EXPECT_EQ(Ask("POST", "/ask"), 0);
  EXPECT_EQ(admission_.client, "");
  EXPECT_EQ(Ask("GET", "/ask"), 405);
  EXPECT_EQ(Ask("GET", "/nothing"), 404);
}

TEST_F(GateTest, AKeyGuardsAllButOpenRoutes) {
  options_.keys = ApiKeys::Parse("ann: secretsecret", "keys").value();
  EXPECT_EQ(Ask("POST", "/ask"), 401);
  EXPECT_THAT(admission_.answer->headers, Contains(Pair("www-authenticate", "Bearer")));
  EXPECT_EQ(admission_.match.style, ErrorStyle::kAnthropic);
  EXPECT_EQ(Ask("GET", "/nothing"), 401);  // does not tell what there is
  EXPECT_EQ(Ask("GET", "/open"), 0);
  EXPECT_EQ(Ask("POST", "/open"), 401);
  EXPECT_EQ(Ask("POST", "/ask", {{"x-api-key", "secretsecret"}}), 0);
  EXPECT_EQ(admission_.client, "ann");
}

TEST_F(GateTest, HostsByNameWhateverThePort) {
  options_.hosts = LoopbackHosts({"Box.Example:99"});
  for (const char* host : {"localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]:2", "[::1]",
                           "box.example", "box.example:7", ""}) {
    EXPECT_EQ(Ask("POST", "/ask", {{"host", host}}), 0) << host;
  }
  for (const char* host : {"evil", "localhost.evil", "evil:localhost", "::1", "[::1", "x[::1]"}) {
    EXPECT_EQ(Ask("POST", "/ask", {{"host", host}}), 403) << host;
  }
}

TEST_F(GateTest, PagesOfOtherOriginsMayNotSend) {
  options_.cors_origins = {"https://good"};
  EXPECT_EQ(Ask("POST", "/ask", {{"host", "h:1"}, {"origin", "https://bad"}}), 403);
  EXPECT_EQ(Ask("POST", "/ask", {{"host", "h:1"}, {"origin", "http://h:1"}}), 0);
  EXPECT_TRUE(admission_.headers.empty());
  EXPECT_EQ(Ask("POST", "/ask", {{"host", "h:1"}, {"origin", "https://good"}}), 0);
  EXPECT_THAT(admission_.headers, Contains(Pair("access-control-allow-origin", "https://good")));
}

TEST_F(GateTest, AStarLetsEveryOriginInByItsName) {
  options_.cors_origins = {"*"};
  EXPECT_EQ(Ask("POST", "/ask", {{"origin", "https://any"}}), 0);
  EXPECT_THAT(admission_.headers, Contains(Pair("access-control-allow-origin", "https://any")));
}

TEST_F(GateTest, PreflightNeedsNoKey) {
  options_.keys = ApiKeys::Parse("secretsecret", "keys").value();
  options_.cors_origins = {"https://good"};
  EXPECT_EQ(Ask("OPTIONS", "/ask",
                {{"origin", "https://good"}, {"access-control-request-headers", "x-api-key"}}),
            204);
  EXPECT_THAT(admission_.answer->headers,
              Contains(Pair("access-control-allow-headers", "x-api-key")));
  EXPECT_THAT(admission_.answer->headers, Contains(Pair("allow", "POST, OPTIONS")));
}

TEST_F(GateTest, ClosedItAnswersWhatIsQuickAlone) {
  EXPECT_EQ(Ask("POST", "/ask"), 0);
  gate_->CloseForNew();
  EXPECT_EQ(Ask("POST", "/ask"), 503);
  EXPECT_THAT(admission_.answer->headers, Contains(Pair("retry-after", "5")));
  EXPECT_EQ(Ask("GET", "/open"), 0);
}

}  // namespace
}  // namespace gemma3n::server
