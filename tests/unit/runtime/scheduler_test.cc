#include "gemma3n/scheduler.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

#include "runtime/engine_impl.h"
#include "tests/unit/runtime/scheduler_fixture.h"

namespace gemma3n {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Requests that differ in every way.
Request Mixed(const std::vector<int32_t>& prompt, int i) {
  Request request;
  request.prompt = prompt;
  GenerationOptions& o = request.options;
  o.temperature = i % 3 == 0 ? 0.0f : 1.0f;
  o.seed = static_cast<uint64_t>(i);
  o.max_tokens = 3 + i % 7 * 4;
  o.ignore_end_tokens = i % 2 == 0;
  o.draft_tokens = i % 8;
  if (i % 5 == 1) o.top_logprobs = 2;
  if (i % 5 == 2) o.frequency_penalty = 0.5f;
  if (i % 5 == 3) o.logit_bias = {{263, 100.0f}, {264, 100.0f}, {70, 100.0f}};
  if (i % 7 == 3) o.stop = {"ab"};
  if (i % 7 == 5) o.stop_tokens = {263};
  request.client = std::to_string(i % 4);
  return request;
}

TEST_F(SchedulerTest, ManyAnswerAsEachWouldAlone) {
  for (const int64_t chunk : {1, 5, 64, 512}) {
    EngineOptions engine_options = Exact();
    engine_options.prefill_chunk = chunk;
    const auto engine = Load(engine_options);
    for (const int64_t cache_bytes : {int64_t{0}, int64_t{1} << 24}) {
      SchedulerOptions options;
      options.max_running = 5;
      options.prefix_cache_bytes = cache_bytes;
      const auto scheduler = NewScheduler(engine, options);
      std::vector<Request> requests;
      for (int i = 0; i < 24; ++i) requests.push_back(Mixed(Ids(1 + i * 29 % 180, i % 3), i));
      std::vector<std::unique_ptr<Seen>> seen;
      for (const Request& request : requests) seen.push_back(Submit(*scheduler, request));
      for (size_t i = 0; i < requests.size(); ++i) {
        const std::string what = "chunk " + std::to_string(chunk) + ", cache " +
                                 std::to_string(cache_bytes) + ", request " + std::to_string(i);
        const RequestOutcome outcome = seen[i]->Wait();
        std::string streamed;
        auto alone = NewSession(*engine)->Generate(requests[i].prompt, requests[i].options,
                                                   [&](const TokenEvent& event) {
                                                     streamed += event.text;
                                                     return true;
                                                   });
        ASSERT_TRUE(alone.ok());
        ExpectSame(outcome, *alone, what);
        EXPECT_EQ(seen[i]->text, streamed) << what;
      }
      const SchedulerStats stats = scheduler->stats();
      EXPECT_EQ(stats.finished, 24);
      EXPECT_EQ(stats.running + stats.waiting + stats.cancelled + stats.failed, 0);
      if (cache_bytes == 0) {
        EXPECT_EQ(stats.cached_prompt_tokens, 0);
      }
    }
    EXPECT_EQ(engine->impl().arena->grown(), 0) << "every batch fits the scratch memory";
  }
}

TEST_F(SchedulerTest, GuessesRideAlong) {
  const auto engine = Load(Exact());
  for (const int streams : {1, 3, 9}) {
    const auto scheduler = NewScheduler(engine);
    std::vector<std::unique_ptr<Seen>> seen;
    for (int i = 0; i < streams; ++i) {
      GenerationOptions options = Greedy(40);
      for (const int32_t id : {263, 264}) options.logit_bias[id] = 100.0f;
      seen.push_back(Submit(*scheduler, Ask(Ids(20, i), options)));
    }
    int64_t accepted = 0;
    for (auto& s : seen) {
      const RequestOutcome outcome = s->Wait();
      EXPECT_EQ(outcome.result.tokens.size(), 40u);
      accepted += outcome.result.stats.accepted_tokens;
    }
    EXPECT_GT(accepted, 10) << streams;
    EXPECT_LT(scheduler->stats().steps, 40 + streams) << streams;
  }
}

TEST_F(SchedulerTest, APrefixOfManyIsComputedOnce) {
  EngineOptions engine_options = Exact();
  engine_options.prefill_chunk = 32;
  const auto engine = Load(engine_options);
  SchedulerOptions options;
  options.max_running = 8;
  const auto scheduler = NewScheduler(engine, options);
  const auto shared = Ids(160);
  std::vector<std::unique_ptr<Seen>> seen;
  std::vector<std::vector<int32_t>> prompts;
  for (int i = 0; i < 30; ++i) {
    prompts.push_back(shared);
    for (int k = 0; k < 3; ++k) prompts.back().push_back(10 + i + k);
    seen.push_back(Submit(*scheduler, Ask(prompts.back(), Greedy(4))));
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    const RequestOutcome outcome = seen[i]->Wait();
    ExpectSame(outcome, *NewSession(*engine)->Generate(prompts[i], Greedy(4)), "");
    EXPECT_EQ(outcome.result.stats.cached_tokens, i == 0 ? 0 : 160);
  }
  EXPECT_EQ(scheduler->stats().prompt_tokens, 30 * 163);
  EXPECT_EQ(scheduler->stats().cached_prompt_tokens, 29 * 160);
}

TEST_F(SchedulerTest, ANextTurnFindsTheAnswerBeforeIt) {
  const auto engine = Load(Exact());
  const auto scheduler = NewScheduler(engine);
  std::vector<int32_t> conversation = Ids(40);
  const RequestOutcome first = Submit(*scheduler, Ask(conversation, Greedy(60)))->Wait();
  conversation.insert(conversation.end(), first.result.tokens.begin(), first.result.tokens.end());
  conversation.push_back(99);
  const RequestOutcome second = Submit(*scheduler, Ask(conversation, Greedy(5)))->Wait();
  EXPECT_EQ(second.result.stats.cached_tokens, 96) << "three blocks of the 99 that were run";
  ExpectSame(second, *NewSession(*engine)->Generate(conversation, Greedy(5)), "");
}

TEST_F(SchedulerTest, CancelsWaitingAndRunningOnes) {
  const auto engine = Load(Options());
  SchedulerOptions options;
  options.max_running = 1;
  const auto scheduler = NewScheduler(engine, options);
  std::atomic<bool> started{false};
  auto endless = Submit(*scheduler, Ask(Ids(5), Greedy(200)), [&](size_t) {
    started = true;
    std::this_thread::sleep_for(20ms);
    return true;
  });
  auto waiting = Submit(*scheduler, Ask(Ids(6), Greedy(3)));
  auto next = Submit(*scheduler, Ask(Ids(7), Greedy(3)));
  while (!started) std::this_thread::sleep_for(1ms);
  scheduler->Cancel(waiting->id);
  const RequestOutcome never = waiting->Wait();
  EXPECT_EQ(never.status.code(), StatusCode::kCancelled);
  EXPECT_FALSE(never.timed_out);
  EXPECT_TRUE(never.result.tokens.empty());
  scheduler->Cancel(endless->id);
  const RequestOutcome cut = endless->Wait();
  EXPECT_EQ(cut.status.code(), StatusCode::kCancelled);
  EXPECT_EQ(cut.result.reason, StopReason::kCancelled);
  EXPECT_FALSE(cut.result.tokens.empty());
  EXPECT_LT(cut.result.tokens.size(), 200u);
  EXPECT_TRUE(next->Wait().status.ok());
  scheduler->Cancel(12345);
  auto own = Submit(*scheduler, Ask(Ids(5), Greedy(50)), [](size_t n) { return n < 3; });
  const RequestOutcome by_token = own->Wait();
  EXPECT_EQ(by_token.status.code(), StatusCode::kCancelled);
  EXPECT_EQ(by_token.result.tokens.size(), 3u);
  EXPECT_EQ(scheduler->stats().cancelled, 3);
}

TEST_F(SchedulerTest, TimesOutWhileItWaitsAndWhileItRuns) {
  const auto engine = Load(Options());
  SchedulerOptions options;
  options.max_running = 1;
  const auto scheduler = NewScheduler(engine, options);
  Request slow = Ask(Ids(5), Greedy(200));
  slow.timeout_seconds = 0.5;
  auto running = Submit(*scheduler, slow, [](size_t) {
    std::this_thread::sleep_for(20ms);
    return true;
  });
  Request late = Ask(Ids(6), Greedy(2));
  late.timeout_seconds = 0.02;
  const RequestOutcome waited = Submit(*scheduler, late)->Wait();
  EXPECT_TRUE(waited.timed_out);
  EXPECT_EQ(waited.status.code(), StatusCode::kCancelled);
  const RequestOutcome ran = running->Wait();
  EXPECT_TRUE(ran.timed_out);
  EXPECT_FALSE(ran.result.tokens.empty());
  // One that is paused takes no step and still ends.
  Request paused = Ask(Ids(5), Greedy(200));
  paused.timeout_seconds = 0.1;
  std::atomic<bool> is_paused{false};
  auto held = Submit(*scheduler, paused, [&](size_t) {
    while (!is_paused) std::this_thread::sleep_for(1ms);
    return true;
  });
  scheduler->Pause(held->id);
  is_paused = true;
  EXPECT_TRUE(held->Wait().timed_out);
  EXPECT_EQ(scheduler->stats().paused, 0);
}

TEST_F(SchedulerTest, APausedOneKeepsItsPlaceAndGoesOn) {
  const auto engine = Load(Exact());
  const auto scheduler = NewScheduler(engine);
  std::atomic<size_t> count{0};
  std::atomic<Scheduler::Id> id{0};
  auto seen = Submit(*scheduler, Ask(Ids(5), Greedy(40)), [&](size_t n) {
    count = n;
    while (id == 0) std::this_thread::sleep_for(1ms);
    if (n == 10) scheduler->Pause(id);
    return true;
  });
  id = seen->id;
  while (scheduler->stats().paused == 0) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(Submit(*scheduler, Ask(Ids(8), Greedy(20)))->Wait().status.ok());
  EXPECT_LE(count, 14u) << "guesses of the same pass may have come with the tenth";
  EXPECT_EQ(scheduler->stats().running, 1);
  scheduler->Resume(seen->id);
  ExpectSame(seen->Wait(), *NewSession(*engine)->Generate(Ids(5), Greedy(40)), "");
}

TEST_F(SchedulerTest, ClientsTakeTurns) {
  const auto engine = Load(Options());
  SchedulerOptions options;
  options.max_running = 1;
  const auto scheduler = NewScheduler(engine, options);
  std::mutex mutex;
  std::vector<std::string> order;
  std::atomic<bool> go{false};
  auto first = Submit(*scheduler, Ask(Ids(3), Greedy(1)), [&](size_t) {
    while (!go) std::this_thread::sleep_for(1ms);
    return true;
  });
  std::vector<std::unique_ptr<Seen>> seen;
  for (const char* client : {"a", "a", "a", "a", "b", "b", "c"}) {
    seen.push_back(Submit(*scheduler, Ask(Ids(4), Greedy(1), client), [&, client](size_t n) {
      const std::lock_guard lock(mutex);
      if (n == 1) order.push_back(client);  // then comes what a last byte was held back for
      return true;
    }));
  }
  go = true;
  for (auto& s : seen) EXPECT_TRUE(s->Wait().status.ok());
  EXPECT_THAT(order, testing::ElementsAre("a", "b", "c", "a", "b", "a", "a"));
}

TEST_F(SchedulerTest, ALongPromptDoesNotHoldAShortOneBack) {
  EngineOptions engine_options = Options();
  engine_options.prefill_chunk = 4;
  const auto engine = Load(engine_options);
  const auto scheduler = NewScheduler(engine);
  std::atomic<int> ends{0};
  std::atomic<int> short_at{-1}, long_at{-1};
  std::atomic<bool> go{false};  // once both are there
  auto gate = Submit(*scheduler, Ask(Ids(3), Greedy(1)), [&](size_t) {
    while (!go) std::this_thread::sleep_for(1ms);
    return true;
  });
  auto longer = Submit(*scheduler, Ask(Ids(230), Greedy(1)), [&](size_t) {
    long_at = ends++;
    return true;
  });
  auto shorter = Submit(*scheduler, Ask(Ids(8, 5), Greedy(1)), [&](size_t) {
    short_at = ends++;
    return true;
  });
  go = true;
  EXPECT_TRUE(longer->Wait().status.ok());
  EXPECT_TRUE(shorter->Wait().status.ok());
  EXPECT_LT(short_at, long_at);
}

TEST_F(SchedulerTest, RefusesWhatIsWrongOrTooMuch) {
  const auto engine = Load(Options());
  SchedulerOptions options;
  options.max_running = 1;
  options.max_waiting = 2;
  options.context = 50;
  const auto scheduler = NewScheduler(engine, options);
  const auto code = [&](Request request) {
    return scheduler->Submit(std::move(request), {}, {}).status().code();
  };
  EXPECT_EQ(code(Ask(Prompt(), Greedy(1))), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Ask(Ids(51), Greedy(1))), StatusCode::kOutOfRange);
  GenerationOptions bad = Greedy(1);
  bad.top_p = 2;
  EXPECT_EQ(code(Ask(Ids(5), bad)), StatusCode::kInvalidArgument);
  Request sized = Ask(Ids(5), Greedy(1));
  sized.size.mlp_widths = {1 << 20};
  EXPECT_EQ(code(sized), StatusCode::kInvalidArgument);
  Request backwards = Ask(Ids(5), Greedy(1));
  backwards.timeout_seconds = -1;
  EXPECT_EQ(code(backwards), StatusCode::kInvalidArgument);

  std::atomic<bool> go{false};
  auto first = Submit(*scheduler, Ask(Ids(3), Greedy(1)), [&](size_t) {
    while (!go) std::this_thread::sleep_for(1ms);
    return true;
  });
  auto second = Submit(*scheduler, Ask(Ids(3), Greedy(1)));
  auto third = Submit(*scheduler, Ask(Ids(3), Greedy(1)));
  EXPECT_EQ(code(Ask(Ids(3), Greedy(1))), StatusCode::kResourceExhausted);
  EXPECT_EQ(scheduler->stats().refused, 1);
  go = true;
  EXPECT_TRUE(third->Wait().status.ok());

  for (auto change : {+[](SchedulerOptions& o) { o.max_running = 0; },
                      +[](SchedulerOptions& o) { o.max_waiting = -1; },
                      +[](SchedulerOptions& o) { o.slice_rows = -1; },
                      +[](SchedulerOptions& o) { o.prefix_cache_bytes = -1; },
                      +[](SchedulerOptions& o) { o.context = 1 << 30; }}) {
    SchedulerOptions o;
    change(o);
    EXPECT_EQ(Scheduler::Create(engine, o).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Scheduler::Create(nullptr, {}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(SchedulerTest, MoreSizesThanAreKeptReady) {
  const auto engine = Load(Exact());
  const auto scheduler = NewScheduler(engine, {});
  const std::vector<int64_t> whole = engine->info().mlp_widths;
  std::vector<ModelSize> sizes;
  for (int64_t i = 0; i < 70; ++i) {
    ModelSize size;
    size.mlp_widths = whole;
    size.mlp_widths[0] = 1 + i % 10;
    size.mlp_widths[1] = 1 + i / 10;
    sizes.push_back(size);
  }
  const auto ask = [&](const ModelSize& size) {
    Request request = Ask(Ids(40), Greedy(3));
    request.size = size;
    return Submit(*scheduler, request);
  };
  std::vector<std::unique_ptr<Seen>> seen;
  for (const ModelSize& size : sizes) seen.push_back(ask(size));
  std::vector<std::vector<int32_t>> answers;
  for (const auto& s : seen) {
    const RequestOutcome outcome = s->Wait();
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    answers.push_back(outcome.result.tokens);
  }
  const RequestOutcome again = ask(sizes[0])->Wait();  // which had to give way
  ASSERT_TRUE(again.status.ok()) << again.status.message();
  EXPECT_EQ(again.result.tokens, answers[0]);
}

TEST_F(SchedulerTest, DrainsOrCancels) {
  const auto engine = Load(Options());
  auto scheduler = NewScheduler(engine);
  auto quick = Submit(*scheduler, Ask(Ids(5), Greedy(20)));
  scheduler->Drain(30);
  EXPECT_TRUE(quick->Wait().status.ok());
  EXPECT_EQ(scheduler->Submit(Ask(Ids(5), Greedy(1)), {}, {}).status().code(),
            StatusCode::kCancelled);

  scheduler = NewScheduler(engine);
  const auto slowly = [](size_t) {
    std::this_thread::sleep_for(20ms);
    return true;
  };
  auto slow = Submit(*scheduler, Ask(Ids(5), Greedy(200)), slowly);
  scheduler->Drain(0.05);
  EXPECT_EQ(slow->Wait().status.code(), StatusCode::kCancelled);

  scheduler = NewScheduler(engine);
  auto left = Submit(*scheduler, Ask(Ids(5), Greedy(200)), slowly);
  scheduler.reset();
  EXPECT_EQ(left->Wait().status.code(), StatusCode::kCancelled);
}

TEST_F(SchedulerTest, ACallersExceptionEndsItsOwnRequest) {
  const auto engine = Load(Exact());
  const auto scheduler = NewScheduler(engine);
  auto good = Submit(*scheduler, Ask(Ids(9), Greedy(30)));
  auto bad = Submit(*scheduler, Ask(Ids(10), Greedy(30)),
                    [](size_t n) -> bool { return n < 5 ? true : throw std::runtime_error("no"); });
  const RequestOutcome outcome = bad->Wait();
  EXPECT_EQ(outcome.status.code(), StatusCode::kInternal);
  EXPECT_THAT(outcome.status.message(), HasSubstr("no"));
  ExpectSame(good->Wait(), *NewSession(*engine)->Generate(Ids(9), Greedy(30)), "");
  EXPECT_EQ(scheduler->stats().failed, 1);
}

TEST_F(SchedulerTest, PromptLogprobsAreTheScores) {
  EngineOptions engine_options = Exact();
  engine_options.prefill_chunk = 16;
  const auto engine = Load(engine_options);
  const auto scheduler = NewScheduler(engine);
  const auto prompt = Ids(70);
  Submit(*scheduler, Ask(prompt, Greedy(1)))->Wait();  // its blocks are of no use to an echo
  Request request = Ask(prompt, Greedy(3));
  request.prompt_logprobs = true;
  request.options.top_logprobs = 2;
  const RequestOutcome outcome = Submit(*scheduler, request)->Wait();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.prompt.size(), prompt.size());
  const auto rows = ScoreAll(*NewSession(*engine), prompt);
  for (size_t i = 0; i < prompt.size(); ++i) {
    EXPECT_EQ(outcome.prompt[i].token, prompt[i]);
    if (i == 0) {
      EXPECT_TRUE(outcome.prompt[i].top.empty());
      continue;
    }
    double total = 0;
    for (const float z : rows[i - 1]) total += std::exp(static_cast<double>(z));
    EXPECT_NEAR(outcome.prompt[i].logprob, rows[i - 1][prompt[i]] - std::log(total), 1e-4) << i;
    ASSERT_EQ(outcome.prompt[i].top.size(), 2u);
    EXPECT_GE(outcome.prompt[i].top[0].logprob, outcome.prompt[i].logprob);
  }
  ExpectSame(outcome, *NewSession(*engine)->Generate(prompt, request.options), "");
}

TEST_F(SchedulerTest, TakesRequestsFromManyThreads) {
  const auto engine = Load(Exact());
  const auto scheduler = NewScheduler(engine);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        auto seen = Submit(*scheduler, Mixed(Ids(10 + t * 5 + i), t * 5 + i));
        if (i == 3) scheduler->Cancel(seen->id);
        const RequestOutcome outcome = seen->Wait();
        good += outcome.status.ok() || i == 3 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

TEST_F(SchedulerTest, EveryRequestEndsOnceWhateverIsDoneToIt) {
  const auto engine = Load(Options());
  SchedulerOptions options;
  options.max_running = 3;
  options.max_waiting = 10;
  options.prefix_cache_bytes = 1 << 18;  // blocks come and go
  const auto scheduler = NewScheduler(engine, options);
  std::atomic<int> taken{0}, ended{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 40; ++i) {
        Request request = Mixed(Ids(1 + static_cast<int>(random() % 150), i % 3), i);
        if (random() % 4 == 0) request.timeout_seconds = 0.001 * (1 + random() % 20);
        const bool stops = random() % 5 == 0;
        const auto id = scheduler->Submit(
            std::move(request), [stops](const TokenEvent&) { return !stops; },
            [&](RequestOutcome) { ++ended; });
        if (!id.ok()) {
          EXPECT_EQ(id.status().code(), StatusCode::kResourceExhausted);
          ++refused;
          std::this_thread::sleep_for(2ms);
          continue;
        }
        ++taken;
        if (random() % 3 == 0) scheduler->Pause(*id);
        if (random() % 4 == 0) scheduler->Cancel(*id);
        if (random() % 2 == 0) std::this_thread::sleep_for(1ms);
        scheduler->Resume(*id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  scheduler->Drain(60);
  EXPECT_EQ(ended, taken);
  const SchedulerStats stats = scheduler->stats();
  EXPECT_EQ(stats.finished + stats.cancelled, taken);
  EXPECT_EQ(stats.refused, refused);
  EXPECT_EQ(stats.running + stats.waiting + stats.paused + stats.failed, 0);
}

}  // namespace
}  // namespace gemma3n
