// Many requests of every kind at once on the trained model: media, sizes, draws.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "gemma3n/engine.h"
#include "runtime/engine_impl.h"
#include "tests/unit/runtime/scheduler_fixture.h"

namespace gemma3n {
namespace {

const std::string kMedia = GEMMA3N_SOURCE_DIR "/examples/media/";

class SchedulerMediaTest : public SchedulerTest {
 protected:
  static std::shared_ptr<const Engine> LoadTiny(int64_t chunk = 512) {
    EngineOptions options;
    options.model = GEMMA3N_SOURCE_DIR "/models/tiny";
    options.precision = Precision::kFloat32;
    options.prefill_chunk = chunk;
    options.threads = 2;
    return Load(options);
  }

  static Prompt Chat(const Engine& engine, std::vector<Part> parts) {
    const Message message = Message::Parts("user", std::move(parts));
    auto prompt = engine.ChatPrompt({&message, 1});
    EXPECT_TRUE(prompt.ok()) << prompt.status().message();
    return prompt.ok() ? *prompt : Prompt();
  }

  static std::vector<Prompt> Prompts(const Engine& engine) {
    const Part picture = Part::Image({.location = kMedia + "picture.png"});
    return {Chat(engine, {picture, Part::Text("What is in this picture?")}),
            Chat(engine, {Part::Text("What is 3 + 4?")}),
            Chat(engine, {Part::Audio({.location = kMedia + "speech.wav"}),
                          Part::Text("Transcribe the speech.")}),
            Chat(engine, {picture, picture, Part::Text("What is in these pictures?")}),
            Chat(engine, {Part::Text("Say hello.")})};
  }

  static std::vector<ModelSize> Sizes() {
    ModelSize narrow;
    narrow.mlp_widths = {512};
    ModelSize shallow;
    shallow.skip_layers = {3};
    return {ModelSize(), narrow, shallow};
  }
};

TEST_F(SchedulerMediaTest, EveryMixtureAnswersAsEachWouldAlone) {
  for (const int64_t chunk : {96, 512}) {
    const auto engine = LoadTiny(chunk);
    const std::vector<Prompt> prompts = Prompts(*engine);
    const std::vector<ModelSize> sizes = Sizes();
    SchedulerOptions options;
    options.max_running = 6;
    const auto scheduler = NewScheduler(engine, options);
    std::vector<Request> requests;
    for (int i = 0; i < 30; ++i) {
      GenerationOptions o;
      o.temperature = i % 2 == 0 ? 0.0f : 0.8f;
      o.seed = static_cast<uint64_t>(i);
      o.max_tokens = 4 + i % 5 * 6;
      if (i % 4 == 1) o.stop = {" a "};
      if (i % 4 == 2) o.top_logprobs = 3;
      if (i % 4 == 3) o.json_schema = "{}";
      Request request = Ask(prompts[i % 5], o, std::to_string(i % 3));
      request.size = sizes[i % 3];
      requests.push_back(std::move(request));
    }
    std::vector<std::unique_ptr<Seen>> seen;
    for (const Request& request : requests) seen.push_back(Submit(*scheduler, request));
    // Each prompt comes twice to each size, and two of them begin with the same picture.
    int64_t cached = 0, expected = 3 * 256;
    for (size_t i = 0; i < 15; ++i)
      expected += (std::ssize(requests[i].prompt.tokens) - 1) / 32 * 32;
    for (size_t i = 0; i < requests.size(); ++i) {
      const RequestOutcome outcome = seen[i]->Wait();
      SessionOptions session;
      session.size = requests[i].size;
      auto alone = NewSession(*engine, session)->Generate(requests[i].prompt, requests[i].options);
      ASSERT_TRUE(alone.ok()) << alone.status().message();
      ExpectSame(outcome, *alone,
                 "chunk " + std::to_string(chunk) + " request " + std::to_string(i));
      cached += outcome.result.stats.cached_tokens;
    }
    EXPECT_EQ(scheduler->stats().cached_prompt_tokens, cached);
    EXPECT_EQ(cached, expected);
    EXPECT_EQ(scheduler->stats().finished, 30);
  }
}

TEST_F(SchedulerMediaTest, PicturesAreSeenWhileAnswersAreMade) {
  const auto engine = LoadTiny();
  const auto scheduler = NewScheduler(engine);
  GenerationOptions endless = Greedy(-1);
  std::atomic<size_t> count{0};
  auto stream =
      Submit(*scheduler, Ask(Chat(*engine, {Part::Text("Say hello.")}), endless), [&](size_t n) {
        count = n;
        return true;
      });
  for (int i = 0; i < 3; ++i) Prompts(*engine);
  const size_t then = count;
  while (count < then + 4) std::this_thread::yield();
  EXPECT_EQ(engine->impl().media->tower_runs(), 2) << "one picture and one clip";
  scheduler->Cancel(stream->id);
  const RequestOutcome outcome = stream->Wait();
  EXPECT_EQ(outcome.status.code(), StatusCode::kCancelled);
  EXPECT_GT(outcome.result.tokens.size(), 3u);
}

}  // namespace
}  // namespace gemma3n
