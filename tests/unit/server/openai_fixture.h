// OpenAI's handlers with the tiny model's vocabulary, and fakes around them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gemma3n/engine.h"
#include "server/api/openai.h"
#include "tests/unit/server/api_fakes.h"

namespace gemma3n::server {

class OpenAiTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    EngineOptions options;
    options.model = GEMMA3N_SOURCE_DIR "/models/tiny";
    options.threads = 1;
    engine_ = Engine::Load(options).value();
  }
  static void TearDownTestSuite() { engine_.reset(); }

  void SetUp() override {
    context_.engine = engine_;
    context_.generator = &generator_;
    context_.media = &media_;
    context_.tokens = engine_->info().context;
    context_.model_name = "tiny";
    context_.created = 1700000000;
  }

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

  static inline std::shared_ptr<const Engine> engine_;
  MediaAccess media_{MediaAccessOptions{}};
  FakeGenerator generator_;
  ApiContext context_;
};

}  // namespace gemma3n::server
