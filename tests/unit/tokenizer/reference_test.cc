// Ids and text exactly as SentencePiece and Hugging Face's tokenizers give them, on hard strings.
#include "fixtures.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;

TEST(References, EncodeAsSentencePiece) {
  const Tokenizer tokenizer = TinyModel();
  for (const json& c : ReadLines("cases.jsonl")) {
    EXPECT_EQ(tokenizer.Encode(c["text"].get<std::string>(), false), c["sp"].get<Ids>())
        << c["text"];
  }
}

TEST(References, EncodeAsHuggingFace) {
  const Tokenizer tokenizer = TinyJson();
  for (const json& c : ReadLines("cases.jsonl")) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(tokenizer.Encode(text, true), c["hf"].get<Ids>()) << c["text"];
    EXPECT_EQ(tokenizer.Encode(text, false), c.value("hf_plain", c["hf"]).get<Ids>()) << c["text"];
  }
}

TEST(References, DecodeAsSentencePiece) {
  const Tokenizer tokenizer = TinyModel();
  for (const json& c : ReadLines("decode.jsonl")) {
    EXPECT_EQ(tokenizer.Decode(c["ids"].get<Ids>()), c["sp"].get<std::string>()) << c["ids"];
  }
}

TEST(References, DecodeAsHuggingFace) {
  const Tokenizer tokenizer = TinyJson();
  for (const json& c : ReadLines("decode.jsonl")) {
    EXPECT_EQ(tokenizer.Decode(c["ids"].get<Ids>()), c["hf"].get<std::string>()) << c["ids"];
    EXPECT_EQ(tokenizer.Decode(c["ids"].get<Ids>(), false), c["hf_special"].get<std::string>())
        << c["ids"];
  }
}

TEST(References, MergesAsStringsAreThePairs) {
  json value = TinyJsonValue();
  for (json& merge : value["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  auto tokenizer = FromValue(value);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  for (const json& c : ReadLines("cases.jsonl")) {
    EXPECT_EQ(tokenizer->Encode(c["text"].get<std::string>()), c["hf"].get<Ids>()) << c["text"];
  }
}

// Newlines and spaces are matched whole: what comes before BPE decides, not the learnt merges.
TEST(References, RunsAreWhole) {
  const Tokenizer tokenizer = TinyModel();
  const auto one = [&](const std::string& text) { return tokenizer.Encode(text); };
  EXPECT_EQ(one("\n\n\n"), Ids{*tokenizer.Find("\n\n\n")});
  EXPECT_EQ(one(std::string(15, '\n')).size(), 3u);  // 6 + 6 + 3
  EXPECT_EQ(one("        "),
            Ids{*tokenizer.Find("\u2581\u2581\u2581\u2581\u2581\u2581\u2581\u2581")});
}

}  // namespace
}  // namespace gemma3n
