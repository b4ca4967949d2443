// Media through the trained model's towers: what is encoded, and how often.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"
#include "runtime/engine_impl.h"
#include "runtime/soft_tokens.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string kMedia = GEMMA3N_SOURCE_DIR "/examples/media/";

std::shared_ptr<const Engine> LoadTiny(EngineOptions options = {}) {
  options.model = GEMMA3N_SOURCE_DIR "/models/tiny";
  options.threads = 1;
  auto engine = Engine::Load(options);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *engine : nullptr;
}

MediaSource File(const std::string& name) { return {.location = kMedia + name}; }

MediaSource Bytes(const std::string& name) {
  std::ifstream file(kMedia + name, std::ios::binary);
  const std::string data{std::istreambuf_iterator<char>(file), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(data.data());
  return {.location = "memory",
          .bytes = std::make_shared<std::vector<std::byte>>(begin, begin + data.size())};
}

MediaSource Samples(size_t count, float scale = 0.3f) {
  std::vector<float> samples(count);
  for (size_t i = 0; i < count; ++i) {
    samples[i] = scale * static_cast<float>(static_cast<int>(i * 31 % 201) - 100) / 100;
  }
  return {.samples = std::make_shared<const std::vector<float>>(std::move(samples))};
}

Result<Prompt> Ask(const Engine& engine, std::vector<Part> parts, const MediaOptions& how = {}) {
  parts.push_back(Part::Text("What is in this picture?"));
  const Message message = Message::Parts("user", std::move(parts));
  return engine.ChatPrompt({&message, 1}, how);
}

int64_t TowerRuns(const Engine& engine) { return engine.impl().media->tower_runs(); }

TEST(MediaPrompt, APictureThatComesAgainIsEncodedOnce) {
  const auto engine = LoadTiny();
  EXPECT_TRUE(engine->info().sees);
  EXPECT_TRUE(engine->info().hears);
  const auto first = Ask(*engine, {Part::Image(File("picture.png"))});
  ASSERT_TRUE(first.ok()) << first.status().message();
  const auto again =
      Ask(*engine, {Part::Image(Bytes("picture.png")), Part::Image(File("picture.png"))});
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(TowerRuns(*engine), 1);
  ASSERT_THAT(again->images, SizeIs(2));
  EXPECT_EQ(again->images[0], first->images[0]);
  EXPECT_EQ(again->images[1], first->images[0]);
  // Another size is another picture.
  ASSERT_TRUE(Ask(*engine, {Part::Image(File("picture.png"))}, {.image_size = 512}).ok());
  EXPECT_EQ(TowerRuns(*engine), 2);
}

TEST(MediaPrompt, WithoutRoomInTheCacheTheNumbersAreTheSame) {
  const auto engine = LoadTiny({.media_cache_bytes = 1});
  const auto first = Ask(*engine, {Part::Image(File("picture.png"))});
  const auto second = Ask(*engine, {Part::Image(File("picture.png"))});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(TowerRuns(*engine), 2);
  EXPECT_EQ(first->images[0]->rows, second->images[0]->rows);
  EXPECT_EQ(first->images[0]->hash, second->images[0]->hash);
}

TEST(MediaPrompt, TokensAreOneRunForEachMedium) {
  const auto engine = LoadTiny();
  const auto prompt = Ask(*engine, {Part::Audio(Samples(16000)), Part::Image(File("picture.png")),
                                    Part::Text("and"), Part::Image(File("picture.png"))});
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  const MultimodalTokens& ids = engine->impl().config().tokens;
  const auto count = [&](int32_t id) {
    return std::count(prompt->tokens.begin(), prompt->tokens.end(), id);
  };
  EXPECT_EQ(count(ids.image), 2 * 256);
  EXPECT_EQ(count(ids.audio), 188);
  EXPECT_EQ(count(ids.begin_image), 2);
  EXPECT_EQ(count(ids.end_audio), 1);
  EXPECT_THAT(prompt->text,
              HasSubstr("user\n<audio_soft_token><image_soft_token>and<image_soft_token>What"));
  auto session = engine->NewSession();
  ASSERT_TRUE(session.ok());
  GenerationOptions greedy;
  greedy.temperature = 0.0f;
  greedy.max_tokens = 4;
  EXPECT_TRUE((*session)->Generate(*prompt, greedy).ok());
}

TEST(MediaPrompt, ALongerClipOfThePromptIsHeardInTheShorterOnes) {
  const auto engine = LoadTiny({.media_precision = MediaPrecision::kFloat32});
  const auto alone = Ask(*engine, {Part::Audio(Samples(18688))});
  const auto with_longer = Ask(*engine, {Part::Audio(Samples(18688)), Part::Audio(Samples(31000))});
  const auto with_shorter = Ask(*engine, {Part::Audio(Samples(18688)), Part::Audio(Samples(9000))});
  ASSERT_TRUE(alone.ok() && with_longer.ok() && with_shorter.ok());
  EXPECT_NE(alone->audios[0]->hash, with_longer->audios[0]->hash);
  EXPECT_NE(alone->audios[0]->rows, with_longer->audios[0]->rows);
  EXPECT_EQ(alone->audios[0], with_shorter->audios[0]);
  EXPECT_EQ(TowerRuns(*engine), 4);
}

TEST(MediaPrompt, LongSoundBecomesClips) {
  const auto engine = LoadTiny();
  const auto prompt = Ask(*engine, {Part::Audio(Samples(16000 * 5))}, {.audio_window = 2});
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  EXPECT_GE(prompt->audios.size(), 3u);
  EXPECT_THAT(Ask(*engine, {Part::Audio(Samples(100))}, {.audio_window = 31}).status().message(),
              HasSubstr("expected 1 to 30 seconds, found 31"));
  EXPECT_THAT(Ask(*engine, {Part::Audio(Samples(0))}).status().message(),
              HasSubstr("expected sound, found none"));
}

TEST(MediaPrompt, FramesThatAreEqualAreEncodedOnce) {
  const auto engine = LoadTiny();
  const auto once = Ask(*engine, {Part::Video(File("video.mp4"))});
  ASSERT_TRUE(once.ok()) << once.status().message();
  const int64_t frames = static_cast<int64_t>(once->images.size());
  EXPECT_EQ(frames, 4);
  EXPECT_THAT(once->audios, SizeIs(1));
  EXPECT_EQ(TowerRuns(*engine), frames + 1);
  // The same again costs nothing, decoding neither.
  ASSERT_TRUE(Ask(*engine, {Part::Video(File("video.mp4"))}).ok());
  EXPECT_EQ(TowerRuns(*engine), frames + 1);
  EXPECT_THAT(once->text, HasSubstr("00:00<image_soft_token><audio_soft_token>00:01<image_"));
}

TEST(MediaPrompt, ReadingCanBeCancelled) {
  const auto engine = LoadTiny();
  MediaOptions how;
  how.on_progress = [](int64_t done) { return done < 2; };
  EXPECT_EQ(Ask(*engine, {Part::Video(File("video.mp4"))}, how).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(TowerRuns(*engine), 2);
}

TEST(MediaPrompt, ManyThreadsMayAskAtOnce) {
  const auto engine = LoadTiny();
  std::vector<Result<Prompt>> prompts(4, Status(StatusCode::kInternal, "not asked"));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < prompts.size(); ++i) {
    threads.emplace_back([&, i] {
      prompts[i] = Ask(*engine, {Part::Image(File("picture.png")), Part::Audio(Samples(16000))});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& prompt : prompts) {
    ASSERT_TRUE(prompt.ok()) << prompt.status().message();
    EXPECT_EQ(prompt->images[0]->rows, prompts[0]->images[0]->rows);
  }
}

}  // namespace
}  // namespace gemma3n
