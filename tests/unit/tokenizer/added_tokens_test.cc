// Special and user-defined tokens: where they match, and what AddSpecialToken makes of a
// vocabulary.
#include "tokenizer/added_tokens.h"

#include "fixtures.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;

// "text|<7>|text" of what Split finds.
std::string Cut(const AddedTokenMatcher& matcher, const std::string& text,
                bool parse_special = true) {
  std::string out;
  matcher.Split(
      text, parse_special, [&](std::string_view part) { out += std::string(part) + "|"; },
      [&](TokenId id) { out += fmt::format("<{}>|", id); });
  return out;
}

TEST(AddedTokens, TheLeftmostThenTheLongest) {
  AddedTokenMatcher matcher;
  matcher.Add({1, "ab"}, "ab");
  matcher.Add({2, "abcd"}, "abcd");
  matcher.Add({3, "bcdef"}, "bcdef");
  EXPECT_EQ(Cut(matcher, "xabcdef"), "x|<2>|ef|");
  EXPECT_EQ(Cut(matcher, "abc"), "<1>|c|");
  EXPECT_EQ(Cut(matcher, "abab"), "<1>|<1>|");
  EXPECT_EQ(Cut(matcher, "a"), "a|");
  EXPECT_EQ(Cut(matcher, ""), "");
  matcher.Remove("abcd");
  EXPECT_EQ(Cut(matcher, "xabcdef"), "x|<1>|cdef|");
  matcher.Remove("ab");
  matcher.Remove("never there");
  EXPECT_EQ(Cut(matcher, "xabcdef"), "xa|<3>|");
}

TEST(AddedTokens, SpecialOnesAreTextUnlessParsed) {
  AddedTokenMatcher matcher;
  matcher.Add({1, "<a>", true}, "<a>");
  matcher.Add({2, "a>"}, "a>");
  EXPECT_EQ(Cut(matcher, "x<a>y"), "x|<1>|y|");
  EXPECT_EQ(Cut(matcher, "x<a>y", false),
            "x<a>y|");  // nothing inside it is looked for, as in Hugging Face's
  EXPECT_EQ(Cut(matcher, "a><a>", false), "<2>|<a>|");
}

TEST(AddedTokens, StripsWhiteSpace) {
  AddedTokenMatcher matcher;
  matcher.Add({1, "<l>", false, true, false}, "<l>");
  matcher.Add({2, "<r>", false, false, true}, "<r>");
  matcher.Add({3, "\n"}, "\n");
  EXPECT_EQ(Cut(matcher, "a \u3000\u00a0<l> b"), "a|<1>| b|");
  EXPECT_EQ(Cut(matcher, "a <r> \t b"), "a |<2>|b|");
  EXPECT_EQ(Cut(matcher, "<r> <l>"), "<2>|<1>|");
  EXPECT_EQ(Cut(matcher, "  <l>"), "<1>|");
  EXPECT_EQ(Cut(matcher, "<r>\n x"), "<2>|<3>| x|");  // a match that was stripped away still counts
  EXPECT_EQ(Cut(matcher, "\u200b<l>\xFF <l>"), "\u200b|<1>|\xFF|<1>|");
}

TEST(AddSpecialToken, NewIdsGrowTheVocabulary) {
  Tokenizer tokenizer = TinyModel();
  const auto size = static_cast<TokenId>(tokenizer.vocab_size());
  tokenizer.AddSpecialToken(size + 3, "<image_soft_token>");
  EXPECT_EQ(tokenizer.vocab_size(), size + 4);
  EXPECT_EQ(tokenizer.Find("<image_soft_token>"), size + 3);
  EXPECT_TRUE(tokenizer.IsSpecial(size + 3));
  const TokenId a = *tokenizer.Find("a");
  EXPECT_EQ(tokenizer.Encode("a<image_soft_token>a"), (Ids{a, size + 3, a}));
  EXPECT_GT(tokenizer.Encode("a<image_soft_token>a", false).size(), 3u);
  EXPECT_EQ(tokenizer.Decode(Ids{a, size + 3, a}), "aa");
  EXPECT_EQ(tokenizer.Decode(Ids{a, size + 3, a}, false), "a<image_soft_token>a");
  EXPECT_EQ(tokenizer.TokenBytes(size + 3), "");
  EXPECT_EQ(tokenizer.TokenText(size + 1), "");  // between: no such ids
  EXPECT_EQ(tokenizer.Decode(Ids{size + 1, size, a}), "a");
}

TEST(AddSpecialToken, RenamesAnId) {
  Tokenizer tokenizer = TinyModel();
  const TokenId unused = *tokenizer.Find("<unused3>"), table = *tokenizer.Find("<table>");
  const TokenId the = *tokenizer.Find("\u2581the");
  ASSERT_EQ(tokenizer.Encode(" the"), Ids{the});
  tokenizer.AddSpecialToken(unused, "<a>");
  tokenizer.AddSpecialToken(table, "<b2>");
  tokenizer.AddSpecialToken(the, "<c>");
  EXPECT_EQ(tokenizer.Encode("<a><b2><c>"), (Ids{unused, table, the}));
  for (const char* old : {"<unused3>", "<table>", "\u2581the"}) {
    EXPECT_FALSE(tokenizer.Find(old)) << old;
    for (const TokenId id : tokenizer.Encode(old)) EXPECT_FALSE(tokenizer.IsSpecial(id)) << old;
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(old)), SpacesForMarks(old));
  }
}

// What was learnt about the old text does not hold for the new one.
TEST(AddSpecialToken, ForgetsTheOldText) {
  std::vector<Tokenizer::Piece> pieces;
  for (int b = 0; b < 256; ++b)
    pieces.push_back({fmt::format("<0x{:02X}>", b), 0, PieceType::kByte});
  for (const char* text : {"a", "b", "ab", "bab"}) pieces.push_back({text, 0, PieceType::kNormal});
  auto tokenizer = Tokenizer::FromGgufPieces(pieces, "v");
  ASSERT_TRUE(tokenizer.ok());
  ASSERT_EQ(tokenizer->Encode("ab"), Ids{258});
  tokenizer->AddSpecialToken(258, "aba");
  EXPECT_EQ(tokenizer->Encode("aba"), Ids{258});
  EXPECT_EQ(tokenizer->Encode("aba", false), (Ids{256, 257, 256}));
  EXPECT_EQ(tokenizer->Encode("ab"), (Ids{256, 257}));
}

TEST(AddSpecialToken, MakesAKnownPieceSpecial) {
  Tokenizer tokenizer = TinyModel();
  const TokenId image = *tokenizer.Find("<start_of_image>");
  EXPECT_FALSE(tokenizer.IsSpecial(image));
  EXPECT_EQ(tokenizer.Encode("<start_of_image>", false), Ids{image});  // user-defined: always whole
  tokenizer.AddSpecialToken(image, "<start_of_image>");
  EXPECT_TRUE(tokenizer.IsSpecial(image));
  EXPECT_EQ(tokenizer.Encode("<start_of_image>"), Ids{image});
  EXPECT_GT(tokenizer.Encode("<start_of_image>", false).size(), 1u);
}

TEST(AddSpecialToken, LeavesWhatTheFileKnows) {
  Tokenizer tokenizer = TinyModel();
  const auto size = tokenizer.vocab_size();
  const TokenId turn = *tokenizer.Find("<start_of_turn>");
  tokenizer.AddSpecialToken(turn + 1, "<start_of_turn>");
  tokenizer.AddSpecialToken(-1, "<x>");
  tokenizer.AddSpecialToken(INT32_MAX, "<x>");
  tokenizer.AddSpecialToken(5, "");
  EXPECT_EQ(tokenizer.Encode("<start_of_turn>"), Ids{turn});
  EXPECT_EQ(tokenizer.TokenText(turn + 1), "<end_of_turn>");
  EXPECT_EQ(tokenizer.vocab_size(), size);
}

TEST(AddSpecialToken, WorksOnATokenizerJson) {
  Tokenizer tokenizer = TinyJson();
  const TokenId words = *tokenizer.Find("two words");
  tokenizer.AddSpecialToken(words, "<w>");  // was matched after normalising
  EXPECT_EQ(tokenizer.Encode("<w>"), Ids{words});
  EXPECT_GT(tokenizer.Encode("two words").size(), 1u);
}

TEST(Placing, AddedTokensOfAJson) {
  json value = TinyJsonValue();
  json token = value["added_tokens"].back();
  const auto with = [&](const char* text, int id, const char* flag = nullptr) {
    json changed = value;
    token["content"] = text;
    token["id"] = id;
    changed["added_tokens"].push_back(token);
    if (flag != nullptr) changed["added_tokens"].back()[flag] = true;
    return FromValue(changed);
  };
  const auto size = static_cast<TokenId>(value["model"]["vocab"].size());
  const auto far = with("<far>", size + 100);
  ASSERT_TRUE(far.ok()) << far.status().message();
  EXPECT_EQ(far->Find("<far>"), size + 100);
  const auto again = with("<think>", 7);  // the vocabulary's id holds, as in Hugging Face's library
  ASSERT_TRUE(again.ok());
  EXPECT_NE(again->Find("<think>"), 7);
  const auto taken = with("<new>", 7);
  EXPECT_EQ(taken.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(taken.status().message().find("\"<new>\" has id 7, which is already that of"),
            std::string::npos);
  EXPECT_EQ(with("<new>", 100000000).status().code(), StatusCode::kCorruptFile);
  EXPECT_EQ(with("<new>", -1).status().code(), StatusCode::kCorruptFile);
  EXPECT_EQ(with("<new>", size, "single_word").status().code(), StatusCode::kUnsupported);
  EXPECT_TRUE(with("", size).ok());  // passed over, as there
}

}  // namespace
}  // namespace gemma3n
