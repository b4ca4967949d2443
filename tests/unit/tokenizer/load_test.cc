// Files as people have them, files of other tokenizers, and files that are broken.
#include <unistd.h>

#include <filesystem>

#include "fixtures.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;
namespace fs = std::filesystem;

// A directory of its own, gone afterwards.
class Directory {
 public:
  Directory()
      : path_(fs::temp_directory_path() / ("gemma3n_tokenizer_" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    fs::create_directory(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  std::string path() const { return path_; }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(path_ / file, std::ios::binary) << text;
  }

 private:
  fs::path path_;
};

TEST(Open, TakesADirectoryOrAFile) {
  const Directory dir;
  EXPECT_EQ(Tokenizer::Open(dir.path()).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Tokenizer::Open(dir.path() + "/none.model").status().code(), StatusCode::kNotFound);
  dir.Write("tokenizer.model", ReadAll(DataPath("tiny.model")));
  EXPECT_FALSE(MustOpen(dir.path()).Find("<think>"));
  dir.Write("tokenizer.json", ReadAll(DataPath("tiny.json")));
  EXPECT_TRUE(MustOpen(dir.path()).Find("<think>"));  // tokenizer.json goes first
  EXPECT_FALSE(MustOpen(dir.path() + "/tokenizer.model").Find("<think>"));
  dir.Write("renamed", ReadAll(DataPath("tiny.json")));
  EXPECT_TRUE(MustOpen(dir.path() + "/renamed").Find("<think>"));
  dir.Write("empty.json", "");
  EXPECT_EQ(Tokenizer::Open(dir.path() + "/empty.json").status().code(), StatusCode::kCorruptFile);
}

TEST(Open, ReadsWhatTheConfigBesideAdds) {
  const Directory dir;
  dir.Write("tokenizer.model", ReadAll(DataPath("tiny.model")));
  dir.Write("tokenizer_config.json",
            R"({"bos_token": {"content": "<unused1>"}, "eos_token": "<end_of_turn>",
    "added_tokens_decoder": {"8": {"content": "<think>", "special": true}, "5000": {"content": "<far>", "rstrip": true},
    "20": {"content": "\u2581\u2581"}}})");
  const Tokenizer tokenizer = MustOpen(dir.path());
  EXPECT_EQ(tokenizer.bos(), tokenizer.Find("<unused1>"));
  EXPECT_EQ(tokenizer.eos(), tokenizer.Find("<end_of_turn>"));
  EXPECT_EQ(tokenizer.Encode("<think><far>  "), (Ids{8, 5000}));
  EXPECT_FALSE(tokenizer.IsSpecial(5000));
  EXPECT_EQ(tokenizer.Encode(" \u2581\u2581"),
            Ids{*tokenizer.Find("\u2581\u2581\u2581")});  // still a piece of the file
  EXPECT_FALSE(tokenizer.Find("<unused2>"));

  dir.Write("tokenizer_config.json",
            R"({"added_tokens_decoder": {"eight": {"content": "<think>"}}})");
  const Status status = Tokenizer::Open(dir.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kCorruptFile);
  EXPECT_NE(status.message().find("tokenizer_config.json"), std::string::npos);
  dir.Write("tokenizer_config.json", "{");
  EXPECT_EQ(Tokenizer::Open(dir.path()).status().code(), StatusCode::kCorruptFile);
}

TEST(Open, AConfigMayHoldNumbersBeyond64Bits) {
  const Directory dir;
  dir.Write("tokenizer.model", ReadAll(DataPath("tiny.model")));
  dir.Write("tokenizer_config.json",
            R"({"note": "\"10000000000000000000000", "model_max_length": 1000000000000000019884624838656,
    "low": -1000000000000000019884624838656,
    "wide": 1e30, "bos_token": "<unused1>", "added_tokens_decoder": {"8": {"content": "\\", "special": true}}})");
  const Tokenizer tokenizer = MustOpen(dir.path());
  EXPECT_EQ(tokenizer.bos(), tokenizer.Find("<unused1>"));
  EXPECT_EQ(tokenizer.Encode("\\"), Ids{8});
  dir.Write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656-})");
  EXPECT_EQ(Tokenizer::Open(dir.path()).status().code(), StatusCode::kCorruptFile);
}

TEST(Open, BothKindsDeclareStartAndEnd) {
  for (const auto& make : {TinyModel, TinyJson}) {
    const Tokenizer tokenizer = make();
    EXPECT_EQ(tokenizer.eos(), 1);
    EXPECT_EQ(tokenizer.bos(), 2);
    EXPECT_EQ(tokenizer.TokenText(2), "<bos>");
    EXPECT_EQ(tokenizer.TokenBytes(2), "");
    EXPECT_TRUE(tokenizer.IsSpecial(3));
    EXPECT_EQ(tokenizer.pieces()[3].type, PieceType::kUnknown);
    EXPECT_EQ(tokenizer.TokenBytes(*tokenizer.Find("<0x0A>")), "\n");
    EXPECT_EQ(tokenizer.TokenBytes(*tokenizer.Find("\u2581the")), " the");
    EXPECT_FALSE(tokenizer.IsSpecial(-1));
    EXPECT_EQ(tokenizer.TokenText(1 << 30), "");
  }
}

// llama.cpp writes space runs with spaces and gives user-defined pieces a score of their own.
TEST(Gguf, SpellingIsUndone) {
  const Tokenizer model = TinyModel();
  std::vector<Tokenizer::Piece> pieces = model.pieces();
  for (auto& piece : pieces) {
    if (piece.type != PieceType::kUserDefined) continue;
    piece.text = SpacesForMarks(piece.text);
    piece.score = -1000;
  }
  for (int i = 0; i < 5; ++i) pieces.push_back({"[PAD]", -1000, PieceType::kUnused});
  const auto gguf = Tokenizer::FromGgufPieces(pieces, "m.gguf");
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_EQ(gguf->vocab_size(), model.vocab_size() + 5);
  for (const json& c : ReadLines("cases.jsonl")) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(gguf->Encode(text, false), c["sp"].get<Ids>()) << text;
    EXPECT_EQ(gguf->Encode(text), model.Encode(text)) << text;
  }
  EXPECT_EQ(gguf->Find("[PAD]"), std::nullopt);
  EXPECT_EQ(Tokenizer::FromGgufPieces({}, "m.gguf").status().code(), StatusCode::kCorruptFile);
  pieces.resize(200);
  EXPECT_EQ(Tokenizer::FromGgufPieces(pieces, "m.gguf").status().code(), StatusCode::kUnsupported);
}

// A GGUF written from a tokenizer.json needs scores: those of the model file, up to the order of
// equals.
TEST(Json, ScoresFollowTheMerges) {
  const Tokenizer model = TinyModel(), from_json = TinyJson();
  const auto scored = Tokenizer::FromGgufPieces(from_json.pieces(), "from json");
  ASSERT_TRUE(scored.ok()) << scored.status().message();
  for (const std::string text :
       {"the quick brown fox", "schnelle braune", "世界の世界", "  if (argc > 1) {\n\n"}) {
    EXPECT_EQ(scored->Encode(text), model.Encode(text)) << text;
  }
}

TEST(Json, OtherPipelinesAreRefusedInASentence) {
  const auto refused = [](const char* pointer, const json& found, const char* says) {
    json value = TinyJsonValue();
    value[json::json_pointer(pointer)] = found;
    const Status status = FromValue(value).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << pointer;
    EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
    EXPECT_EQ(status.message().rfind("t.json: ", 0), 0u) << status.message();
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  };
  refused("/normalizer", nullptr, "the normalizer is missing");
  refused("/normalizer", {{"type", "NFKC"}}, "the normalizer is NFKC");
  refused("/normalizer/content", "_", "the normalizer is Replace");
  refused("/normalizer", {{"type", "Sequence"}, {"normalizers", json::array({{{"type", "NFC"}}})}},
          "the normalizer is NFC");
  refused("/pre_tokenizer", {{"type", "ByteLevel"}}, "the pre_tokenizer is ByteLevel");
  refused("/pre_tokenizer/pattern/String", "\n", "the pre_tokenizer is Split");
  refused("/pre_tokenizer/invert", true, "the pre_tokenizer is Split");
  refused("/decoder", {{"type", "ByteLevel"}}, "the decoder is ByteLevel");
  refused("/decoder/decoders", json::array(), "the decoder is Sequence");
  refused("/model/type", "Unigram", "the model is Unigram");
  refused("/model/byte_fallback", false, "model.byte_fallback is not set");
  refused("/model/ignore_merges", true, "model.ignore_merges is true");
  refused("/model/dropout", 0.1, "model.dropout is not zero");
  refused("/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix is </w>");
}

TEST(Json, HarmlessVariantsLoad) {
  json value = TinyJsonValue();
  const Ids ids = FromValue(value)->Encode("the fox  jumps\n\nover");
  const auto same = [&](const char* pointer, const json& other) {
    json changed = value;
    changed[json::json_pointer(pointer)] = other;
    const auto tokenizer = FromValue(changed);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->Encode("the fox  jumps\n\nover"), ids) << pointer;
  };
  same("/pre_tokenizer", nullptr);
  same("/normalizer", {{"type", "Sequence"}, {"normalizers", json::array({value["normalizer"]})}});
  same("/post_processor", nullptr);
  same("/truncation", {{"max_length", 3}});
  same("/model/dropout", 0.0);
  value["model"].erase("ignore_merges");
  same("/version", "1.0");
}

TEST(Json, ContradictionsAreNamed) {
  const auto corrupt = [](const char* pointer, const json& found, const std::string& says) {
    json value = TinyJsonValue();
    value[json::json_pointer(pointer)] = found;
    const Status status = FromValue(value).status();
    EXPECT_EQ(status.code(), StatusCode::kCorruptFile) << pointer;
    EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
  };
  corrupt("/model/vocab", nullptr, "model.vocab is missing or no object");
  corrupt("/model/vocab/a", -4, "no id from 0 to");
  corrupt("/model/vocab/a", 1e12, "no id from 0 to");
  corrupt("/model/vocab/a", 2, "gives id 2 to both");
  corrupt("/model/merges", "x", "model.merges is missing or no array");
  corrupt("/model/merges/3", {"a"}, "model.merges[3] is no pair");
  corrupt("/model/merges/3", "a b c", "model.merges[3] is no pair");
  corrupt("/model/merges/3", 7, "model.merges[3] is no pair");
  corrupt("/model/merges/3", {"a", "qq"},
          "model.merges[3] joins \"a\" and \"qq\", but model.vocab has no \"qq\"");
  corrupt("/added_tokens", 3, "added_tokens is no array");
  corrupt("/added_tokens/0", 3, "no valid id");
  EXPECT_EQ(Tokenizer::FromTokenizerJson("[1]", "t.json").status().message(),
            "t.json: expected a JSON object");
}

// Whatever is cut off or flipped: an error that names the file, or a tokenizer that works. Never a
// crash.
void MustSurvive(const Result<Tokenizer>& tokenizer, const std::string& name) {
  if (!tokenizer.ok()) {
    EXPECT_EQ(tokenizer.status().message().rfind(name + ": ", 0), 0u)
        << tokenizer.status().message();
    return;
  }
  const Ids ids = tokenizer->Encode("the \xFF fox <table> \n\n  世界 🙂 <unused1>");
  EXPECT_FALSE(tokenizer->Decode(ids).empty());
}

TEST(Json, BrokenFilesAreErrors) {
  const std::string whole = ReadAll(DataPath("tiny.json"));
  for (size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 127) {
    const auto cut =
        Tokenizer::FromTokenizerJson(std::string_view(whole).substr(0, size), "t.json");
    EXPECT_EQ(cut.status().code(), StatusCode::kCorruptFile) << size;
    MustSurvive(cut, "t.json");
  }
  std::mt19937 rng(11);
  for (int i = 0; i < 400; ++i) {
    std::string broken = whole;
    for (unsigned k = 0; k <= rng() % 3; ++k)
      broken[rng() % broken.size()] = static_cast<char>(rng());
    MustSurvive(Tokenizer::FromTokenizerJson(broken, "t.json"), "t.json");
  }
}

TEST(Model, BrokenFilesAreErrors) {
  const std::string whole = ReadAll(DataPath("tiny.model"));
  for (size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 13) {
    const auto cut =
        Tokenizer::FromSentencePiece(std::string_view(whole).substr(0, size), "t.model");
    EXPECT_FALSE(cut.ok()) << size;  // the specs come last: without them it is no Gemma model
    MustSurvive(cut, "t.model");
  }
  std::mt19937 rng(12);
  for (int i = 0; i < 3000; ++i) {
    std::string broken = whole;
    for (unsigned k = 0; k <= rng() % 3; ++k)
      broken[rng() % broken.size()] = static_cast<char>(rng());
    MustSurvive(Tokenizer::FromSentencePiece(broken, "t.model"), "t.model");
  }
}

// What fuzzing has found, and its seeds.
TEST(Files, OfTheFuzzersAreSurvived) {
  for (const char* kind : {"json", "model"}) {
    const fs::path folder =
        fs::path(GEMMA3N_SOURCE_DIR) / "fuzz/corpus" / (std::string("tokenizer_") + kind);
    ASSERT_TRUE(fs::exists(folder)) << folder;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string bytes = ReadAll(entry.path());
      MustSurvive(Tokenizer::FromTokenizerJson(bytes, "f"), "f");
      MustSurvive(Tokenizer::FromSentencePiece(bytes, "f"), "f");
    }
  }
}

// Appended fields override what came before, as protobuf has it: an easy way to change a setting.
TEST(Model, OtherKindsAreRefusedInASentence) {
  const std::string whole = ReadAll(DataPath("tiny.model"));
  const auto refused = [&](const std::string& appended, StatusCode code, const char* says) {
    const Status status = Tokenizer::FromSentencePiece(whole + appended, "t.model").status();
    EXPECT_EQ(status.code(), code) << says;
    EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
  };
  using std::string_literals::operator""s;
  refused("\x12\x02\x18\x01"s, StatusCode::kUnsupported, "the model is not BPE");
  refused("\x12\x03\x98\x02\x00"s, StatusCode::kUnsupported, "no byte fallback");
  refused("\x12\x03\xC0\x01\x01"s, StatusCode::kUnsupported, "spaces are suffixes");
  refused("\x1A\x02\x18\x01"s, StatusCode::kUnsupported, "puts a space before the text");
  refused("\x1A\x02\x20\x01"s, StatusCode::kUnsupported, "removes extra spaces");
  refused("\x1A\x02\x28\x00"s, StatusCode::kUnsupported, "spaces stay spaces");
  refused("\x1A\x03\x12\x01x"s, StatusCode::kUnsupported, "rewrites characters");
  refused("\x2A\x03\x12\x01x"s, StatusCode::kUnsupported, "denormaliser");
  refused("\x0A\x00"s, StatusCode::kCorruptFile, "has no text");
  refused("\x0A\x05\x0A\x01Q\x18\x09"s, StatusCode::kCorruptFile, "has type 9, expected 1 to 6");
  refused("\x0A\x05\x0A\x01Q\x18\x05"s, StatusCode::kUnsupported, "marked unused");
  refused("\x0A\x03\x0A\x01\x61"s, StatusCode::kCorruptFile, "are both \"a\"");
  refused("\x0A\x03\x0A\x01\xFF"s, StatusCode::kCorruptFile, "not valid UTF-8");
  refused("\x0A\x08\x0A\x01Q\x15\x00\x00\xC0\x7F"s, StatusCode::kCorruptFile,
          "expected a finite number");
  refused("\x0A\x05\x0A\x01Q\x18\x06"s, StatusCode::kCorruptFile,
          "expected a text like \"<0x0A>\"");
  refused("\x0A\x7F"s, StatusCode::kCorruptFile, "malformed");
  refused("\x0B"s, StatusCode::kCorruptFile, "malformed");
  refused("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s, StatusCode::kCorruptFile, "malformed");
}

}  // namespace
}  // namespace gemma3n
