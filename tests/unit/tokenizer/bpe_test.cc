// BPE against its definition: the plain loop over all neighbours, on whole strings, without any
// shortcut.
#include "tokenizer/bpe.h"

#include <chrono>
#include <map>
#include <thread>

#include "fixtures.h"
#include "tokenizer/lazy_bpe.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

using Piece = Tokenizer::Piece;
using Ids = std::vector<TokenId>;

std::vector<Piece> BytePieces() {
  std::vector<Piece> pieces;
  for (int b = 0; b < 256; ++b)
    pieces.push_back({fmt::format("<0x{:02X}>", b), 0, PieceType::kByte});
  return pieces;
}

std::vector<std::string> Characters(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t pos = 0; pos < text.size();) {
    const int n = std::max(1, DecodeUtf8(text, pos).length);
    parts.emplace_back(text.substr(pos, n));
    pos += n;
  }
  return parts;
}

// SentencePiece's rule, word for word: of all neighbours whose text is a piece, the best score, the
// leftmost of equals.
Ids PlainEncode(const std::vector<Piece>& pieces, std::string_view text) {
  std::map<std::string, TokenId> normal;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type == PieceType::kNormal) normal[pieces[id].text] = static_cast<TokenId>(id);
  }
  std::vector<std::string> parts = Characters(text);
  while (true) {
    size_t best = parts.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = normal.find(parts[i] + parts[i + 1]);
      if (found == normal.end()) continue;
      const float score = pieces[found->second].score;
      if (best == parts.size() || score > best_score) best = i, best_score = score;
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Ids ids;
  for (const auto& part : parts) {
    if (const auto found = normal.find(part); found != normal.end()) {
      ids.push_back(found->second);
    } else {
      for (const char c : part) ids.push_back(static_cast<uint8_t>(c));
    }
  }
  return ids;
}

// A vocabulary over few letters, with many ties and overlaps; not every letter is a piece.
std::vector<Piece> RandomPieces(std::mt19937& rng) {
  static const char* const kLetters[] = {"a", "b", "\u2581", "é", "世", "c"};
  std::vector<Piece> pieces = BytePieces();
  std::map<std::string, bool> seen;
  const int count = 3 + static_cast<int>(rng() % 40);
  for (int i = 0; i < count; ++i) {
    std::string text;
    const int length = 1 + static_cast<int>(rng() % 6);
    for (int k = 0; k < length; ++k) text += kLetters[rng() % (rng() % 2 ? 2 : 6)];
    if (seen[text]) continue;
    seen[text] = true;
    const float score = static_cast<float>(rng() % 12);  // 0 and -0 are equal
    pieces.push_back({text, score > 0 || rng() % 2 ? -score : score, PieceType::kNormal});
  }
  return pieces;
}

std::string RandomLetters(std::mt19937& rng, size_t count) {
  static const char* const kLetters[] = {"a", "b", "\u2581", "é", "世", "c", "d", "\xFF", "🙂"};
  std::string text;
  const size_t kinds = 2 + rng() % 8;
  for (size_t i = 0; i < count; ++i) text += kLetters[rng() % kinds];
  return text;
}

TEST(Bpe, IsItsDefinition) {
  std::mt19937 rng(1);
  for (int round = 0; round < 300; ++round) {
    const auto pieces = RandomPieces(rng);
    const auto vocabulary = Vocabulary::Build(pieces, "v");
    ASSERT_TRUE(vocabulary.ok()) << vocabulary.status().message();
    const Bpe bpe = Bpe::FromScores(*vocabulary);
    const auto lazy = LazyBpe::FromScores(*vocabulary, "v");  // without tables: the texts are few
    ASSERT_TRUE(lazy.ok()) << lazy.status().message();
    for (int i = 0; i < 30; ++i) {
      const std::string text =
          RandomLetters(rng, rng() % (i < 25 ? 30 : 250));  // also past the heap's limit
      const Ids expected = PlainEncode(pieces, text);
      for (int again = 0; again < 2; ++again) {  // the second time, whole pieces are known
        Ids ids, lazy_ids;
        bpe.Encode(text, *vocabulary, &ids);
        ASSERT_EQ(ids, expected) << text;
        lazy->Encode(text, *vocabulary, &lazy_ids);
        ASSERT_EQ(lazy_ids, expected) << text;
      }
    }
  }
}

TEST(Bpe, ScansAndHeapsAgreeAtTheLimit) {
  std::vector<Piece> pieces = BytePieces();
  for (const char* text : {"a", "aa", "aaa", "aaaa", "aaaaa"})
    pieces.push_back({text, 0, PieceType::kNormal});
  const auto vocabulary = Vocabulary::Build(pieces, "v");
  const Bpe bpe = Bpe::FromScores(*vocabulary);
  for (size_t n = 0; n < 200; ++n) {
    Ids ids;
    bpe.Encode(std::string(n, 'a'), *vocabulary, &ids);
    ASSERT_EQ(ids, PlainEncode(pieces, std::string(n, 'a'))) << n;
  }
}

// What comes later, and what is long, has the ids that it had without the tables.
TEST(Bpe, TablesChangeNoId) {
  const std::vector<Piece> pieces = TinyModel().pieces();
  const auto vocabulary = Vocabulary::Build(pieces, "v");
  const Bpe bpe = Bpe::FromScores(*vocabulary);
  const auto lazy = LazyBpe::FromScores(*vocabulary, "v");
  ASSERT_TRUE(lazy.ok()) << lazy.status().message();
  const auto expect_same = [&](std::string_view text) {
    Ids ids, expected;
    lazy->Encode(text, *vocabulary, &ids);
    bpe.Encode(text, *vocabulary, &expected);
    ASSERT_EQ(ids, expected) << text;
  };
  std::mt19937 rng(5);
  size_t bytes = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int k = 0; k < 20; ++k) text += pieces[rng() % pieces.size()].text;
    bytes += text.size();
    expect_same(text);
  }
  EXPECT_GT(bytes, 2 * LazyBpe::kWithout);
  expect_same(RandomLetters(rng, LazyBpe::kWithout));
}

TEST(Bpe, ForgetsBeforeAndAfterTheTables) {
  std::vector<Piece> pieces = BytePieces();
  for (const char* text : {"a", "b", "ab"}) pieces.push_back({text, 0, PieceType::kNormal});
  for (const size_t before : {size_t{0}, 2 * LazyBpe::kWithout}) {
    auto vocabulary = Vocabulary::Build(pieces, "v");
    auto bpe = LazyBpe::FromScores(*vocabulary, "v");
    Ids ids;
    bpe->Encode(std::string(before, 'a'), *vocabulary, &ids);
    bpe->Forget(258, *vocabulary);
    vocabulary->Rename(258, "<x>", PieceType::kControl);
    ids.clear();
    bpe->Encode("ab", *vocabulary, &ids);
    EXPECT_EQ(ids, (Ids{256, 257}));
  }
}

TEST(Bpe, LongTextWithoutASpaceTakesNoSquareOfTime) {
  const Tokenizer tokenizer = TinyModel();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_GT(tokenizer.Encode(std::string(1 << 20, 'a')).size(), 1u << 17);
  std::string text;
  for (int i = 0; i < 1 << 19; ++i) text += "xy";
  EXPECT_GT(tokenizer.Encode(text).size(), 1u << 17);
  // Linked list and heap need some hundred milliseconds; a scan of all neighbours per merge would
  // need an hour.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(Bpe, ThreadsShareOneTokenizer) {
  const Tokenizer tokenizer = TinyModel(), alone = TinyModel();
  std::mt19937 rng(3);
  std::vector<std::string> texts;
  std::vector<Ids> expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(RandomText(alone, rng, 20));
    expected.push_back(alone.Encode(texts.back()));
  }
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < texts.size(); ++i) {
        const size_t k = (i + t * 50) % texts.size();
        if (tokenizer.Encode(texts[k]) != expected[k]) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// Neither by merging nor by looking the text up, and however often it is asked.
TEST(Bpe, TextNeverBecomesASpecialPiece) {
  std::vector<Piece> pieces = BytePieces();
  pieces.push_back({"a", 0, PieceType::kNormal});    // 256
  pieces.push_back({"b", 0, PieceType::kNormal});    // 257
  pieces.push_back({"ab", 0, PieceType::kControl});  // 258
  pieces.push_back({"q", 0, PieceType::kControl});   // 259
  pieces.push_back({"bb", 0, PieceType::kNormal});   // 260
  const auto vocabulary = Vocabulary::Build(pieces, "v");
  const auto bpe = Bpe::FromMerges(*vocabulary, {{256, 257, 0, 258}, {257, 257, 1, 260}}, "v");
  ASSERT_TRUE(bpe.ok());
  for (int again = 0; again < 3; ++again) {
    Ids ids;
    bpe->Encode("abq", *vocabulary, &ids);
    EXPECT_EQ(ids, (Ids{256, 257, 'q'}));
  }
}

TEST(Vocabulary, FindsManyAsItFindsOne) {
  std::vector<Piece> pieces = BytePieces();
  std::vector<std::string> texts;
  constexpr int kCount = 200000;  // so many that some texts share a 32-bit hash
  std::mt19937_64 rng(4);
  for (int i = 0; i < kCount; ++i) {
    pieces.push_back({fmt::format("{:x}", rng()), 0, PieceType::kNormal});
    texts.push_back(i % 2 ? pieces.back().text : fmt::format("{:x}", rng()));
  }
  const auto vocabulary = Vocabulary::Build(std::move(pieces), "v");
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  Ids ids(views.size());
  vocabulary->FindAll(views, ids.data());
  int wrong = 0;
  for (int i = 0; i < kCount; ++i) {
    const TokenId expected = i % 2 ? 256 + i : -1;
    wrong += ids[i] != expected || vocabulary->Find(texts[i]) != expected;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Bpe, MergesOfBytePiecesAreRefused) {
  std::vector<Piece> pieces = BytePieces();
  pieces.push_back({"<0x41><0x42>", 0, PieceType::kNormal});
  const auto vocabulary = Vocabulary::Build(pieces, "v");
  const auto bpe = Bpe::FromMerges(*vocabulary, {{0x41, 0x42, 0, 256}}, "v");
  ASSERT_FALSE(bpe.ok());
  EXPECT_EQ(bpe.status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace gemma3n
