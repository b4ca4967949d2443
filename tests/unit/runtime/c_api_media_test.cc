// The C API's media: what goes into a chat comes out as the C++ API's prompt, and every mistake is
// refused in one sentence. The checkpoint has no towers.
#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/runtime/c_api_fixture.h"

namespace gemma3n {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

// A picture of one white pixel.
constexpr unsigned char kBmp[] = {'B', 'M', 58, 0, 0, 0, 0, 0, 0, 0,   54,  0,   0, 0,  40,
                                  0,   0,   0,  1, 0, 0, 0, 1, 0, 0,   0,   1,   0, 24, 0,
                                  0,   0,   0,  0, 4, 0, 0, 0, 0, 0,   0,   0,   0, 0,  0,
                                  0,   0,   0,  0, 0, 0, 0, 0, 0, 255, 255, 255, 0};

class CApiMediaTest : public CApiTest {
 protected:
  CApiMediaTest() : engine_(LoadEngine()), content_(NewContent()), chat_(NewChat()) {}

  ContentPtr NewContent() {
    gemma3n_content* content = nullptr;
    EXPECT_EQ(gemma3n_content_create(&content, &error_), GEMMA3N_OK) << error_.message;
    return ContentPtr(content);
  }
  ChatPtr NewChat() {
    gemma3n_chat* chat = nullptr;
    EXPECT_EQ(gemma3n_chat_create(&chat, &error_), GEMMA3N_OK) << error_.message;
    return ChatPtr(chat);
  }
  static gemma3n_media_options Defaults() {
    gemma3n_media_options options;
    gemma3n_media_options_init(&options, sizeof(options));
    return options;
  }
  PromptPtr FromText(std::string_view text, const gemma3n_content* media = nullptr) {
    gemma3n_prompt* prompt = nullptr;
    status_ = gemma3n_prompt_from_text(engine_.get(), text.data(), text.size(), media, 1, nullptr,
                                       &prompt, &error_);
    return PromptPtr(prompt);
  }
  PromptPtr FromChat(const gemma3n_media_options* options = nullptr) {
    gemma3n_prompt* prompt = nullptr;
    status_ = gemma3n_prompt_from_chat(engine_.get(), chat_.get(), options, &prompt, &error_);
    return PromptPtr(prompt);
  }
  // The status of a chat of one message that has just this medium, which must make no prompt.
  gemma3n_status Refused(gemma3n_medium medium, const std::string& location,
                         const gemma3n_media_options* options = nullptr) {
    const ContentPtr content = NewContent();
    EXPECT_EQ(gemma3n_content_add_file(content.get(), medium, location.c_str(), &error_),
              GEMMA3N_OK);
    return Refused(*content, options);
  }
  gemma3n_status Refused(const gemma3n_content& content,
                         const gemma3n_media_options* options = nullptr) {
    chat_ = NewChat();
    EXPECT_EQ(gemma3n_chat_add_content(chat_.get(), "user", &content, &error_), GEMMA3N_OK);
    EXPECT_EQ(FromChat(options), nullptr);
    return status_;
  }

  const EnginePtr engine_;
  const ContentPtr content_;
  ChatPtr chat_;
  gemma3n_status status_ = GEMMA3N_OK;
};

std::vector<int32_t> Tokens(const gemma3n_prompt* prompt) {
  size_t count = 0;
  const int32_t* tokens = gemma3n_prompt_tokens(prompt, &count);
  return {tokens, tokens + count};
}

TEST_F(CApiMediaTest, PromptsAreTheCppApis) {
  ASSERT_EQ(gemma3n_chat_add(chat_.get(), "system", "be brief", &error_), GEMMA3N_OK);
  ASSERT_EQ(gemma3n_content_add_text(content_.get(), "a", &error_), GEMMA3N_OK);
  ASSERT_EQ(gemma3n_content_add_text(content_.get(), " b ", &error_), GEMMA3N_OK);
  ASSERT_EQ(gemma3n_chat_add_content(chat_.get(), "user", content_.get(), &error_), GEMMA3N_OK);
  const PromptPtr prompt = FromChat();
  ASSERT_EQ(status_, GEMMA3N_OK) << error_.message;

  const auto engine = Load(Options());
  const Message messages[] = {Message::Text("system", "be brief"),
                              Message::Parts("user", {Part::Text("a"), Part::Text(" b ")})};
  const auto want = engine->ChatPrompt(messages);
  ASSERT_TRUE(want.ok()) << want.status().message();
  EXPECT_EQ(Tokens(prompt.get()), want->tokens);
  EXPECT_EQ(gemma3n_prompt_text(prompt.get()), want->text);
  EXPECT_EQ(gemma3n_prompt_note(prompt.get(), 0), nullptr);

  const PromptPtr plain = FromText("a<end_of_turn>b");
  ASSERT_EQ(status_, GEMMA3N_OK) << error_.message;
  EXPECT_EQ(Tokens(plain.get()), (std::vector<int32_t>{2, 263, 5, 264}));
}

TEST_F(CApiMediaTest, APromptAnswersAndScoresAsItsTokensDo) {
  const auto session = CreateSession(engine_.get());
  const PromptPtr prompt = FromText("ab a b");
  ASSERT_NE(prompt, nullptr) << error_.message;
  const std::vector<int32_t> tokens = Tokens(prompt.get());
  const auto options = Greedy(7);
  Heard heard, want;
  gemma3n_generation_result result{};
  result.size = sizeof(result);
  ASSERT_EQ(gemma3n_generate_prompt(session.get(), prompt.get(), &options, Listen, nullptr, &heard,
                                    &result, &error_),
            GEMMA3N_OK)
      << error_.message;
  EXPECT_EQ(result.prompt_tokens, static_cast<int64_t>(tokens.size()));
  EXPECT_EQ(result.generated_tokens, 7);
  ASSERT_EQ(gemma3n_generate(session.get(), tokens.data(), tokens.size(), &options, Listen, nullptr,
                             &want, nullptr, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(heard.tokens, want.tokens);
  EXPECT_EQ(heard.text, want.text);

  const auto keep = [](void* user, int64_t, const float* logits, size_t count) {
    auto& all = *static_cast<std::vector<float>*>(user);
    all.insert(all.end(), logits, logits + count);
    return 1;
  };
  std::vector<float> scored, expected;
  ASSERT_EQ(gemma3n_score_prompt(session.get(), prompt.get(), keep, &scored, &error_), GEMMA3N_OK);
  ASSERT_EQ(gemma3n_score(session.get(), tokens.data(), tokens.size(), keep, &expected, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(scored.size(), tokens.size() * 336);
  EXPECT_EQ(scored, expected);
}

TEST_F(CApiMediaTest, PlaceholdersAndMediaAreCounted) {
  EXPECT_EQ(FromText("see <image_soft_token>"), nullptr);
  EXPECT_EQ(status_, GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("image"));
  ASSERT_EQ(gemma3n_content_add_text(content_.get(), "words", &error_), GEMMA3N_OK);
  EXPECT_EQ(FromText("see", content_.get()), nullptr);
  EXPECT_EQ(status_, GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("found words"));
  const ContentPtr video = NewContent();
  ASSERT_EQ(gemma3n_content_add_file(video.get(), GEMMA3N_MEDIUM_VIDEO, "v.mp4", &error_),
            GEMMA3N_OK);
  EXPECT_EQ(FromText("see", video.get()), nullptr);
  EXPECT_THAT(error_.message, HasSubstr("found a video"));
  // Among the words of a message a placeholder stands for nothing.
  ASSERT_EQ(gemma3n_chat_add(chat_.get(), "user", "see <image_soft_token>", &error_), GEMMA3N_OK);
  EXPECT_EQ(FromChat(), nullptr);
  EXPECT_EQ(status_, GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("attach the medium"));
}

TEST_F(CApiMediaTest, FilesThatAreNoMedia) {
  for (const gemma3n_medium medium :
       {GEMMA3N_MEDIUM_IMAGE, GEMMA3N_MEDIUM_AUDIO, GEMMA3N_MEDIUM_VIDEO}) {
    EXPECT_EQ(Refused(medium, "/nowhere/x.png"), GEMMA3N_NOT_FOUND) << medium;
    EXPECT_THAT(error_.message, HasSubstr("/nowhere/x.png")) << medium;
    EXPECT_EQ(Refused(medium, ""), GEMMA3N_INVALID_ARGUMENT) << medium;
  }
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_IMAGE, tokenizer_), GEMMA3N_UNSUPPORTED);
  EXPECT_THAT(error_.message, AllOf(HasSubstr("tokenizer.json"), HasSubstr("expected JPEG")));
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_AUDIO, tokenizer_), GEMMA3N_CORRUPT_FILE);
  EXPECT_THAT(error_.message, HasSubstr("tokenizer.json"));
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_VIDEO, GEMMA3N_SOURCE_DIR "/tests/golden/media/sweep-8k.wav"),
            GEMMA3N_UNSUPPORTED);
  EXPECT_THAT(error_.message, HasSubstr("expected a video"));
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_IMAGE, "data:image/png;base64,!"), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("data: URL: '!' within base64"));
}

TEST_F(CApiMediaTest, BytesAreCopiedAndNamed) {
  std::vector<unsigned char> bytes(kBmp, kBmp + sizeof(kBmp));
  bytes.resize(20);  // too short
  ASSERT_EQ(gemma3n_content_add_bytes(content_.get(), GEMMA3N_MEDIUM_IMAGE, bytes.data(),
                                      bytes.size(), "holiday.bmp", &error_),
            GEMMA3N_OK);
  bytes.assign(bytes.size(), 0);  // the caller's to use again
  EXPECT_EQ(Refused(*content_), GEMMA3N_CORRUPT_FILE);
  EXPECT_THAT(error_.message, HasSubstr("holiday.bmp"));
  const ContentPtr empty = NewContent();
  ASSERT_EQ(
      gemma3n_content_add_bytes(empty.get(), GEMMA3N_MEDIUM_IMAGE, nullptr, 0, nullptr, &error_),
      GEMMA3N_OK);
  EXPECT_EQ(Refused(*empty), GEMMA3N_CORRUPT_FILE);
  EXPECT_STREQ(error_.message, "bytes: empty, expected a picture");
}

TEST_F(CApiMediaTest, WithoutTowersNothingIsSeenOrHeard) {
  gemma3n_engine_info info{};
  info.size = sizeof(info);
  info.sees = info.hears = 7;
  ASSERT_EQ(gemma3n_engine_get_info(engine_.get(), &info, &error_), GEMMA3N_OK);
  EXPECT_EQ(info.sees, 0);
  EXPECT_EQ(info.hears, 0);

  ASSERT_EQ(gemma3n_content_add_bytes(content_.get(), GEMMA3N_MEDIUM_IMAGE, kBmp, sizeof(kBmp),
                                      nullptr, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(Refused(*content_), GEMMA3N_UNSUPPORTED);
  EXPECT_THAT(error_.message, AllOf(HasSubstr("hub_bf16"), HasSubstr("expected a picture tower")));
  const std::vector<float> second(16000, 0.25f);
  const ContentPtr sound = NewContent();
  ASSERT_EQ(
      gemma3n_content_add_samples(sound.get(), second.data(), second.size(), nullptr, &error_),
      GEMMA3N_OK);
  EXPECT_EQ(Refused(*sound), GEMMA3N_UNSUPPORTED);
  EXPECT_THAT(error_.message, AllOf(HasSubstr("hub_bf16"), HasSubstr("expected a sound tower")));
  EXPECT_EQ(std::string_view(error_.message).find('\n'), std::string_view::npos);

  // Ids alone would lose them.
  size_t count = 0;
  EXPECT_EQ(gemma3n_chat_prompt(engine_.get(), chat_.get(), nullptr, 0, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("gemma3n_prompt_from_chat"));
}

TEST_F(CApiMediaTest, SamplesAreSound) {
  const ContentPtr none = NewContent();
  ASSERT_EQ(gemma3n_content_add_samples(none.get(), nullptr, 0, "silence", &error_), GEMMA3N_OK);
  EXPECT_EQ(Refused(*none), GEMMA3N_CORRUPT_FILE);
  EXPECT_THAT(error_.message, HasSubstr("silence: expected sound"));
  const float odd[] = {0, 0.5f, std::numeric_limits<float>::quiet_NaN()};
  ASSERT_EQ(gemma3n_content_add_samples(content_.get(), odd, 3, nullptr, &error_), GEMMA3N_OK);
  EXPECT_EQ(Refused(*content_), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_STREQ(error_.message, "samples: expected numbers in [-1, 1], found nan at 2");
}

TEST_F(CApiMediaTest, EveryMediaOptionArrives) {
  auto options = Defaults();
  EXPECT_EQ(options.size, sizeof(options));
  EXPECT_EQ(options.video_fps, 1);
  EXPECT_EQ(options.audio_window, 30);
  const std::string sound = GEMMA3N_SOURCE_DIR "/tests/golden/media/sweep-8k.wav";
  const std::string video = GEMMA3N_SOURCE_DIR "/tests/golden/media/seconds.mp4";
  const struct {
    gemma3n_medium medium;
    const std::string& location;
    void (*change)(gemma3n_media_options&);
    const char* words;
  } cases[] = {
      {GEMMA3N_MEDIUM_AUDIO, sound, [](auto& o) { o.image_size = 300; }, "found 300"},
      {GEMMA3N_MEDIUM_AUDIO, sound, [](auto& o) { o.video_size = -1; }, "found -1"},
      {GEMMA3N_MEDIUM_AUDIO, sound, [](auto& o) { o.audio_window = 31; }, "found 31"},
      {GEMMA3N_MEDIUM_VIDEO, video, [](auto& o) { o.video_fps = 0; }, "expected a rate"},
  };
  for (const auto& c : cases) {
    auto changed = Defaults();
    c.change(changed);
    EXPECT_EQ(Refused(c.medium, c.location, &changed), GEMMA3N_INVALID_ARGUMENT) << c.words;
    EXPECT_THAT(error_.message, HasSubstr(c.words));
  }
  options.room = 600;
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_VIDEO, video, &options), GEMMA3N_OUT_OF_RANGE);
  EXPECT_THAT(error_.message, HasSubstr("expected room for one"));
  options.size = 0;
  EXPECT_EQ(Refused(GEMMA3N_MEDIUM_AUDIO, sound, &options), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("_init"));
}

TEST_F(CApiMediaTest, EngineOptionsForMedia) {
  auto options = LoadOptions();
  EXPECT_EQ(options.media_precision, GEMMA3N_PRECISION_AUTO);
  EXPECT_EQ(options.media_cache_bytes, int64_t{256} << 20);
  gemma3n_engine* engine = nullptr;
  options.media_precision = 4;
  EXPECT_EQ(gemma3n_engine_load(&options, &engine, &error_), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, EndsWith("media_precision: expected 0 to 3, found 4"));
  options.media_precision = GEMMA3N_PRECISION_INT8;
  ASSERT_EQ(gemma3n_engine_load(&options, &engine, &error_), GEMMA3N_OK) << error_.message;
  gemma3n_engine_free(engine);
}

TEST_F(CApiMediaTest, NullsAreRefusedNotFollowed) {
  gemma3n_prompt* prompt = nullptr;
  const auto image = GEMMA3N_MEDIUM_IMAGE;
  auto* c = content_.get();
  for (const gemma3n_status status :
       {gemma3n_content_create(nullptr, &error_), gemma3n_content_add_text(nullptr, "a", &error_),
        gemma3n_content_add_text(c, nullptr, &error_),
        gemma3n_content_add_file(nullptr, image, "x", &error_),
        gemma3n_content_add_file(c, image, nullptr, &error_),
        gemma3n_content_add_file(c, static_cast<gemma3n_medium>(0), "x", &error_),
        gemma3n_content_add_bytes(nullptr, image, "x", 1, nullptr, &error_),
        gemma3n_content_add_bytes(c, image, nullptr, 1, nullptr, &error_),
        gemma3n_content_add_samples(nullptr, nullptr, 0, nullptr, &error_),
        gemma3n_content_add_samples(c, nullptr, 1, nullptr, &error_),
        gemma3n_chat_add_content(nullptr, "user", c, &error_),
        gemma3n_chat_add_content(chat_.get(), nullptr, c, &error_),
        gemma3n_chat_add_content(chat_.get(), "user", nullptr, &error_),
        gemma3n_prompt_from_chat(nullptr, chat_.get(), nullptr, &prompt, &error_),
        gemma3n_prompt_from_chat(engine_.get(), nullptr, nullptr, &prompt, &error_),
        gemma3n_prompt_from_chat(engine_.get(), chat_.get(), nullptr, nullptr, &error_),
        gemma3n_prompt_from_text(nullptr, "a", 1, nullptr, 1, nullptr, &prompt, &error_),
        gemma3n_prompt_from_text(engine_.get(), nullptr, 1, nullptr, 1, nullptr, &prompt, &error_),
        gemma3n_prompt_from_text(engine_.get(), "a", 1, nullptr, 1, nullptr, nullptr, nullptr)}) {
    EXPECT_EQ(status, GEMMA3N_INVALID_ARGUMENT);
  }
  EXPECT_EQ(prompt, nullptr);
  const auto session = CreateSession(engine_.get());
  const PromptPtr some = FromText("a");
  const auto go_on = [](void*, int64_t, const float*, size_t) { return 1; };
  EXPECT_EQ(gemma3n_generate_prompt(session.get(), nullptr, nullptr, nullptr, nullptr, nullptr,
                                    nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_generate_prompt(nullptr, some.get(), nullptr, nullptr, nullptr, nullptr,
                                    nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_score_prompt(session.get(), nullptr, go_on, nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_score_prompt(nullptr, some.get(), go_on, nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_score_prompt(session.get(), some.get(), nullptr, nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  gemma3n_content_free(nullptr);
  gemma3n_prompt_free(nullptr);
  size_t count = 7;
  EXPECT_EQ(gemma3n_prompt_tokens(nullptr, &count), nullptr);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(gemma3n_prompt_text(nullptr), nullptr);
  EXPECT_EQ(gemma3n_prompt_note(nullptr, 0), nullptr);
  gemma3n_media_options_init(nullptr, sizeof(gemma3n_media_options));
}

}  // namespace
}  // namespace gemma3n
