// A scheduler over an engine, and requests whose outcomes are waited for.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gemma3n/scheduler.h"
#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {

// One request's stream and end, as its caller saw them.
struct Seen {
  std::vector<int32_t> tokens;
  std::vector<std::vector<TokenLogprob>> tops;
  std::string text;
  std::promise<RequestOutcome> promise;
  std::future<RequestOutcome> outcome = promise.get_future();
  Scheduler::Id id = 0;

  RequestOutcome Wait() {
    if (outcome.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      ADD_FAILURE() << "no outcome after a minute";
      std::abort();
    }
    return outcome.get();
  }
};

class SchedulerTest : public EngineTest {
 protected:
  EngineOptions Exact() const {
    EngineOptions options = Options();
    options.precision = Precision::kFloat32;
    return options;
  }

  static std::unique_ptr<Scheduler> NewScheduler(std::shared_ptr<const Engine> engine,
                                                 const SchedulerOptions& options = {}) {
    auto scheduler = Scheduler::Create(std::move(engine), options);
    EXPECT_TRUE(scheduler.ok()) << scheduler.status().message();
    return scheduler.ok() ? std::move(scheduler).value() : nullptr;
  }

  // at_token: called with the number of tokens so far; false cancels.
  static std::unique_ptr<Seen> Submit(Scheduler& scheduler, Request request,
                                      std::function<bool(size_t)> at_token = {}) {
    auto seen = std::make_unique<Seen>();
    Seen* s = seen.get();
    auto id = scheduler.Submit(
        std::move(request),
        [s, at_token](const TokenEvent& event) {
          s->tokens.push_back(event.token);
          s->tops.emplace_back(event.top.begin(), event.top.end());
          s->text += event.text;
          return !at_token || at_token(s->tokens.size());
        },
        [s](RequestOutcome outcome) { s->promise.set_value(std::move(outcome)); });
    EXPECT_TRUE(id.ok()) << id.status().message();
    if (id.ok()) s->id = *id;
    return seen;
  }

  static Request Ask(Prompt prompt, GenerationOptions options, std::string client = "") {
    Request request;
    request.prompt = std::move(prompt);
    request.options = std::move(options);
    request.client = std::move(client);
    return request;
  }

  static void ExpectSame(const RequestOutcome& outcome, const GenerationResult& alone,
                         const std::string& what) {
    EXPECT_TRUE(outcome.status.ok()) << what << ": " << outcome.status.message();
    EXPECT_EQ(outcome.result.tokens, alone.tokens) << what;
    EXPECT_EQ(outcome.result.text, alone.text) << what;
    EXPECT_EQ(outcome.result.reason, alone.reason) << what;
    ASSERT_EQ(outcome.result.logprobs.size(), alone.logprobs.size()) << what;
    for (size_t i = 0; i < alone.logprobs.size(); ++i) {
      EXPECT_EQ(outcome.result.logprobs[i].logprob, alone.logprobs[i].logprob) << what;
    }
  }
};

}  // namespace gemma3n
