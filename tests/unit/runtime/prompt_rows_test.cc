// Media in a prompt: where their rows go, and what a session may reuse.
#include "runtime/prompt_rows.h"

#include <gmock/gmock.h>

#include "engine_fixture.h"
#include "runtime/soft_tokens.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;

constexpr int32_t kImage = 321, kAudio = 329;  // the fixture's ids
constexpr int64_t kHidden = 64;

std::shared_ptr<const SoftTokens> Soft(int64_t count, uint64_t salt) {
  auto soft = std::make_shared<SoftTokens>();
  soft->hash = {salt * 0x9E3779B97F4A7C15u, ~salt * 0xC2B2AE3D27D4EB4Fu};
  soft->count = count;
  for (int64_t i = 0; i < count * kHidden; ++i) {
    soft->rows.push_back(static_cast<float>((i * 37 + static_cast<int64_t>(salt) * 11) % 101) / 50 -
                         1);
  }
  return soft;
}

class MediaPromptTest : public EngineTest {
 protected:
  // Words, a picture of three rows, words, a clip of two rows, words.
  static Prompt Mixed(uint64_t picture, uint64_t clip) {
    Prompt prompt(std::vector<int32_t>{2, 50, kImage, kImage, kImage, 60, kAudio, kAudio, 70});
    prompt.images.push_back(Soft(3, picture));
    prompt.audios.push_back(Soft(2, clip));
    return prompt;
  }
};

TEST_F(MediaPromptTest, EveryPlaceholderGetsTheNextRowOfItsKind) {
  const auto engine = Load(Options());
  const Prompt prompt = Mixed(1, 2);
  const auto rows = internal::PromptRows(prompt, engine->impl(), 100);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  for (const int i : {0, 1, 5, 8}) EXPECT_EQ((*rows)[i].embedding, nullptr) << i;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*rows)[2 + i].embedding, prompt.images[0]->rows.data() + i * kHidden);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ((*rows)[6 + i].embedding, prompt.audios[0]->rows.data() + i * kHidden);
  }
}

TEST_F(MediaPromptTest, NumbersOfTokensAndMediaMustAgree) {
  const auto engine = Load(Options());
  const auto message = [&](const Prompt& prompt) {
    const auto rows = internal::PromptRows(prompt, engine->impl(), 100);
    return rows.ok() ? std::string("accepted") : rows.status().message();
  };
  Prompt prompt = Mixed(1, 2);
  prompt.images.push_back(Soft(3, 3));
  EXPECT_THAT(message(prompt), HasSubstr("3 image soft tokens, expected 6 for its 2 image"));
  prompt = Mixed(1, 2);
  prompt.tokens.push_back(kAudio);
  EXPECT_THAT(message(prompt), HasSubstr("3 audio soft tokens, expected 2"));
  prompt = Mixed(1, 2);
  prompt.tokens[1] = 336;
  EXPECT_THAT(message(prompt), HasSubstr("token 1 has id 336, outside the vocabulary"));
  prompt = Mixed(1, 2);
  auto narrow = std::make_shared<SoftTokens>(*prompt.audios[0]);
  narrow->rows.resize(narrow->rows.size() / 2);
  prompt.audios[0] = narrow;
  EXPECT_THAT(message(prompt), HasSubstr("audio soft tokens have 32 values each, expected this "
                                         "model's 64"));
  EXPECT_EQ(message(Prompt({2, kImage, kImage})), "accepted");  // the placeholder's own embedding
}

TEST_F(MediaPromptTest, TheAnswerDependsOnWhatIsSeen) {
  const auto engine = Load(Options());
  const auto scores = [&](const Prompt& prompt) {
    std::vector<float> last;
    const Status scored = NewSession(*engine)->Score(prompt, [&](int64_t, auto logits) {
      last.assign(logits.begin(), logits.end());
      return true;
    });
    EXPECT_TRUE(scored.ok()) << scored.message();
    return last;
  };
  const auto one = scores(Mixed(1, 2));
  EXPECT_EQ(one, scores(Mixed(1, 2)));
  EXPECT_NE(one, scores(Mixed(3, 2)));
  EXPECT_NE(one, scores(Mixed(1, 4)));
}

TEST_F(MediaPromptTest, ASessionReusesAPictureOnlyIfItIsTheSame) {
  const auto engine = Load(Options());
  auto session = NewSession(*engine);
  ASSERT_TRUE(session->Generate(Mixed(1, 2), Greedy(4)).ok());
  const auto again = session->Generate(Mixed(1, 2), Greedy(4));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->stats.cached_tokens, 8);
  const auto other_clip = session->Generate(Mixed(1, 4), Greedy(4));
  ASSERT_TRUE(other_clip.ok());
  EXPECT_EQ(other_clip->stats.cached_tokens, 6);
  EXPECT_EQ(other_clip->tokens, NewSession(*engine)->Generate(Mixed(1, 4), Greedy(4))->tokens);
  const auto other_picture = session->Generate(Mixed(3, 4), Greedy(4));
  ASSERT_TRUE(other_picture.ok());
  EXPECT_EQ(other_picture->stats.cached_tokens, 2);
  EXPECT_EQ(other_picture->tokens, NewSession(*engine)->Generate(Mixed(3, 4), Greedy(4))->tokens);
}

TEST_F(MediaPromptTest, PlaceholdersAmongTheWordsAreRefused) {
  const auto engine = Load(Options());
  const Message user = Message::Text("user", "look: <image_soft_token>");
  const auto prompt = engine->ChatPrompt({&user, 1});
  EXPECT_THAT(prompt.status().message(), HasSubstr("'<image_soft_token>' stands for a medium"));
  EXPECT_THAT(engine->TextPrompt("a <image_soft_token> b", {}).status().message(),
              HasSubstr("expected 0 placeholders '<image_soft_token>' for 0 images, found 1"));
}

TEST_F(MediaPromptTest, ACheckpointWithoutTowersSaysSo) {
  const auto engine = Load(Options());
  EXPECT_FALSE(engine->info().sees);
  EXPECT_FALSE(engine->info().hears);
  MediaSource sound;
  sound.samples = std::make_shared<const std::vector<float>>(16000, 0.5f);
  const Message user = Message::Parts("user", {Part::Audio(sound), Part::Text("what?")});
  EXPECT_THAT(engine->ChatPrompt({&user, 1}).status().message(),
              HasSubstr("expected a sound tower"));
}

}  // namespace
}  // namespace gemma3n
