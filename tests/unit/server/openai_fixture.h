// OpenAI's handlers with the tiny model's vocabulary, and fakes around them.
#pragma once

#include <string>
#include <utility>

#include "server/api/openai.h"
#include "tests/unit/server/api_fixture.h"

namespace gemma3n::server {

class OpenAiTest : public ApiTest {
 protected:
  void SetUp() override { context_ = Context(); }

  using Handle = void (*)(const ApiContext&, std::shared_ptr<Exchange>);

  std::shared_ptr<FakeExchange> Call(Handle handle, std::string body, std::string path = {}) {
    HttpRequest request;
    request.body = std::move(body);
    request.path = std::move(path);
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    handle(context_, exchange);
    return exchange;
  }
  // The answer to a request that is refused: 400, and what is wrong with which parameter.
  static void ExpectRefused(const FakeExchange& exchange, const std::string& param,
                            const std::string& words) {
    EXPECT_EQ(exchange.http_status, 400) << exchange.body;
    const Json error = exchange.json().at("error");
    EXPECT_EQ(error.at("type"), "invalid_request_error");
    EXPECT_EQ(error.at("param"), param.empty() ? Json() : Json(param));
    EXPECT_THAT(error.at("message").get<std::string>(), ::testing::HasSubstr(words));
  }

  ApiContext context_;
};

}  // namespace gemma3n::server
