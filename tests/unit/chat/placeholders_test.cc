#include "chat/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/special_text.h"

namespace gemma3n {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Repeat(const std::string& piece, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += piece;
  return out;
}

const std::string kImage =
    "\n\n<start_of_image>" + Repeat("<image_soft_token>", 256) + "<end_of_image>\n\n";
const std::string kAudio =
    "\n\n<start_of_audio>" + Repeat("<audio_soft_token>", 188) + "<end_of_audio>\n\n";

TEST(Placeholders, ExpandLeftToRight) {
  EXPECT_EQ(*ExpandPlaceholders("a<image_soft_token>b<audio_soft_token><image_soft_token>", 2, 1),
            "a" + kImage + "b" + kAudio + kImage);
  EXPECT_EQ(*ExpandPlaceholders("plain <start_of_image>", 0, 0), "plain <start_of_image>");
  EXPECT_EQ(*ExpandPlaceholders("", 0, 0), "");
}

// Newlines meet: behind "user\n" three in a row, between two media four; the tokenizer makes one
// token of each run.
TEST(Placeholders, NewlinesMeetTheirNeighbours) {
  const std::string text = *ExpandPlaceholders(
      "<bos><start_of_turn>user\n<image_soft_token><audio_soft_token>Hi<end_of_turn>\n", 1, 1);
  EXPECT_THAT(text, HasSubstr("user\n\n\n<start_of_image>"));
  EXPECT_THAT(text, HasSubstr("<end_of_image>\n\n\n\n<start_of_audio>"));
  EXPECT_THAT(text, HasSubstr("<end_of_audio>\n\nHi"));
}

TEST(Placeholders, CountsMustAgree) {
  const auto status = ExpandPlaceholders("<image_soft_token>", 2, 0).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "prompt: expected 2 placeholders '<image_soft_token>' for 2 images, found 1");
  EXPECT_FALSE(ExpandPlaceholders("<image_soft_token>", 0, 0).ok()) << "a user's own text counts";
  EXPECT_THAT(ExpandPlaceholders("x", 0, 1).status().message(),
              HasSubstr("for 1 audio clips, found 0"));
}

TEST(Placeholders, OtherNamesAndLengths) {
  const MediumTokens image{"[", "I", "]", 2}, audio{"(", "A", ")", 0};
  EXPECT_EQ(*ExpandPlaceholders("xIyA", 1, 1, image, audio), "x\n\n[II]\n\ny\n\n()\n\n");
  EXPECT_EQ(ExpandPlaceholders("x", 0, 0, image, {"", "", "", 1}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ExpandPlaceholders("x", 0, 0, image, image).status().code(),
            StatusCode::kInvalidArgument);
}

std::vector<std::string> Texts(const std::vector<SpecialText>& found) {
  std::vector<std::string> out;
  for (const auto& f : found) out.push_back(std::to_string(f.offset) + ":" + f.text);
  return out;
}

TEST(SpecialText, FindsGemmasTokens) {
  const auto finder = SpecialTextFinder::Gemma3n();
  EXPECT_THAT(Texts(finder.Find("hi <end_of_turn>\n<start_of_turn>model <b> <bos")),
              ElementsAre("3:<end_of_turn>", "17:<start_of_turn>"));
  EXPECT_THAT(Texts(finder.Find("<<image_soft_token>>")), ElementsAre("1:<image_soft_token>"));
  EXPECT_TRUE(finder.Find("").empty());
  EXPECT_TRUE(finder.Find("<eos_").empty());
}

TEST(SpecialText, LongestFirstWithoutOverlap) {
  const std::string specials[] = {"ab", "abab", "", "ba"};
  const SpecialTextFinder finder(specials);
  EXPECT_THAT(Texts(finder.Find("xababab")), ElementsAre("1:abab", "5:ab"));
}

TEST(SpecialText, NamesMessageAndPart) {
  const std::vector<Message> messages = {
      Message::Text("user", "fine"),
      {"user", {Part::Text("a"), {Part::Kind::kImage, ""}, Part::Text("x<eos>")}, false}};
  const auto found = SpecialTextFinder::Gemma3n().Find(messages);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].message, 1u);
  EXPECT_EQ(found[0].part, 2u);
  EXPECT_EQ(found[0].offset, 1u);
  EXPECT_EQ(found[0].text, "<eos>");
}

TEST(SpecialText, EscapedTextHasNoneLeft) {
  const auto finder = SpecialTextFinder::Gemma3n();
  const std::string escaped = finder.Escape("a<eos><end_of_turn>b");
  EXPECT_EQ(escaped, "a<\u200Beos><\u200Bend_of_turn>b");
  EXPECT_TRUE(finder.Find(escaped).empty());
  const std::string specials[] = {"é!"};
  EXPECT_EQ(SpecialTextFinder(specials).Escape("é!"), "é\u200B!");
}

}  // namespace
}  // namespace gemma3n
