// Decoding: bytes come back, streams equal the whole, characters are never split.
#include "fixtures.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

using Ids = std::vector<TokenId>;

std::string BytesOf(const Tokenizer& tokenizer, const Ids& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.TokenBytes(id);
  return bytes;
}

TEST(RoundTrip, AnyBytesComeBack) {
  const Tokenizer model = TinyModel(), json = TinyJson();
  std::mt19937 rng(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const size_t size = rng() % 60;
    for (size_t k = 0; k < size; ++k) {
      text += static_cast<char>(rng() % 3 == 0 ? rng() % 256
                                : rng() % 2    ? 0xC0 + rng() % 64
                                               : 0x80 + rng() % 64);
    }
    for (const Tokenizer* tokenizer : {&model, &json}) {
      const Ids ids = tokenizer->Encode(text, false);
      EXPECT_EQ(BytesOf(*tokenizer, ids), SpacesForMarks(text));
      EXPECT_TRUE(IsValidUtf8(tokenizer->Decode(ids)));
    }
  }
}

// tiny.json without the tokens that take white space with them.
Tokenizer WithoutStripping() {
  nlohmann::json value = TinyJsonValue();
  for (auto& token : value["added_tokens"]) token["lstrip"] = token["rstrip"] = false;
  return std::move(FromValue(value)).value();
}

TEST(RoundTrip, ValidTextComesBack) {
  std::mt19937 rng(6);
  for (const auto& make : {TinyModel, WithoutStripping}) {
    const Tokenizer tokenizer = make();
    for (int i = 0; i < 2000; ++i) {
      const std::string text = RandomText(tokenizer, rng, 15);
      EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text, false), false), SpacesForMarks(text));
    }
  }
}

TEST(RoundTrip, SpelledOutTextHasNoSpecialIds) {
  std::mt19937 rng(8);
  for (const auto& make : {TinyModel, TinyJson}) {
    const Tokenizer tokenizer = make();
    for (int i = 0; i < 2000; ++i) {
      for (const TokenId id : tokenizer.Encode(RandomText(tokenizer, rng, 10), false)) {
        EXPECT_FALSE(tokenizer.IsSpecial(id)) << tokenizer.TokenText(id);
      }
    }
  }
}

// Random ids, many of them bytes. After each token the stream holds whole characters only, and at
// the end it is Decode.
TEST(Streaming, EqualsDecode) {
  std::mt19937 rng(9);
  for (const auto& make : {TinyModel, TinyJson}) {
    const Tokenizer tokenizer = make();
    const TokenId first_byte = *tokenizer.Find("<0x00>");
    for (int i = 0; i < 5000; ++i) {
      Ids ids;
      for (int k = 0; k < 10; ++k) {
        ids.push_back(rng() % 4 ? first_byte + static_cast<TokenId>(0x80 + rng() % 128)
                                : static_cast<TokenId>(rng() % (tokenizer.vocab_size() + 2)) - 1);
      }
      for (const bool skip : {true, false}) {
        StreamingDecoder stream(tokenizer, skip);
        std::string text;
        for (const TokenId id : ids) {
          text += stream.Push(id);
          ASSERT_TRUE(IsValidUtf8(text));
        }
        text += stream.Finish();
        ASSERT_EQ(text, tokenizer.Decode(ids, skip));
        ASSERT_EQ(stream.Finish(), "");
      }
    }
  }
}

TEST(Streaming, HoldsBackUnfinishedCharacters) {
  const Tokenizer tokenizer = TinyModel();
  StreamingDecoder stream(tokenizer);
  const TokenId first_byte = *tokenizer.Find("<0x00>");
  EXPECT_EQ(stream.Push(first_byte + 0xF0), "");
  EXPECT_EQ(stream.Push(first_byte + 0x9F), "");
  EXPECT_EQ(stream.Push(first_byte + 0x99), "");
  EXPECT_EQ(stream.Push(first_byte + 0x82), "🙂");
  EXPECT_EQ(stream.Push(first_byte + 0xE4), "");
  EXPECT_EQ(stream.Push(*tokenizer.Find("a")), "\uFFFDa");
  EXPECT_EQ(stream.Push(first_byte + 0xE4), "");
  EXPECT_EQ(stream.Push(first_byte + 0xB8), "");
  EXPECT_EQ(stream.Finish(), "\uFFFD\uFFFD");
}

// Where the two libraries part: Hugging Face's decoder judges a run of bytes as a whole, and
// special tokens that are left out do not end it.
TEST(Streaming, FollowsTheFilesLibrary) {
  const Tokenizer model = TinyModel(), json = TinyJson();
  const TokenId b = *model.Find("<0x00>"), eos = *model.Find("<eos>");
  const Ids broken = {b + 0xC3, b + 0xA9, b + 0xFF};
  EXPECT_EQ(model.Decode(broken), "é\uFFFD");
  EXPECT_EQ(json.Decode(broken), "\uFFFD\uFFFD\uFFFD");
  const Ids parted = {b + 0xC3, eos, b + 0xA9};
  EXPECT_EQ(model.Decode(parted), "\uFFFD\uFFFD");
  EXPECT_EQ(json.Decode(parted), "é");
}

TEST(Utf8, PrefixesOfCharactersAreKnown) {
  for (char32_t code = 0x80; code < 0x110000; code += code < 0x1000 ? 1 : 61) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    if (code < 0x800) {
      text = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    } else if (code < 0x10000) {
      text = {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
              static_cast<char>(0x80 | (code & 63))};
    } else {
      text = {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
              static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
    ASSERT_EQ(DecodeUtf8(text, 0).code, code);
    ASSERT_EQ(DecodeUtf8(text, 0).length, static_cast<int>(text.size()));
    for (size_t n = 1; n < text.size(); ++n) {
      ASSERT_EQ(DecodeUtf8(text.substr(0, n), 0).length, 0);
      ASSERT_TRUE(MayBecomeUtf8(text.substr(0, n), 0));
    }
    ASSERT_FALSE(MayBecomeUtf8(text.substr(1), 0));
  }
  for (const char* bad :
       {"\x80", "\xC0", "\xC1", "\xF5", "\xFF", "\xE0\x80", "\xE0\x9F", "\xED\xA0", "\xF0\x8F",
        "\xF4\x90", "\xC3(", "\xE4(", "\xF0\x9F(", "\xE4\xB8("}) {
    EXPECT_EQ(DecodeUtf8(bad, 0).length, 0);
    EXPECT_FALSE(MayBecomeUtf8(bad, 0));
  }
}

}  // namespace
}  // namespace gemma3n
