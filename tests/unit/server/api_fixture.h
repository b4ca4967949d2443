// An API's routes with the tiny model's vocabulary, and fakes around them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "gemma3n/engine.h"
#include "server/http/router.h"
#include "tests/unit/server/api_fakes.h"

namespace gemma3n::server {

class ApiTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    EngineOptions options;
    options.model = GEMMA3N_SOURCE_DIR "/models/tiny";
    options.threads = 1;
    engine_ = Engine::Load(options).value();
  }
  static void TearDownTestSuite() { engine_.reset(); }

  ApiContext Context() {
    ApiContext context;
    context.engine = engine_;
    context.generator = &generator_;
    context.media = &media_;
    context.tokens = engine_->info().context;
    context.model_name = "tiny";
    context.created = 1700000000;
    return context;
  }

  std::shared_ptr<FakeExchange> Call(const std::string& method, const std::string& path,
                                     std::string body, std::string content_type = {}) {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers["content-type"] = std::move(content_type);
    request.body = std::move(body);
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    const auto match = router_.Find(method, path);
    EXPECT_NE(match.handler, nullptr) << path;
    if (match.handler != nullptr) (*match.handler)(exchange);
    return exchange;
  }

  const Generation& asked() const { return generator_.generation; }
  // The sink of the Generation that runs.
  Sink& sink() { return *generator_.sink; }
  void Say(std::string_view text) { sink().OnToken(0, FakeToken(5, text).event()); }

  static inline std::shared_ptr<const Engine> engine_;
  MediaAccess media_{MediaAccessOptions{}};
  FakeGenerator generator_;
  Router router_;
};

}  // namespace gemma3n::server
