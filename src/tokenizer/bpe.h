// Byte-pair encoding of text between added tokens.
//
// Among all neighbours that may merge, the pair of the lowest rank merges first, the leftmost of
// equals; until none may. Two savings, both exact:
//   * Text is cut between two characters that stand side by side in no mergeable piece: no merge
//   can cross such a
//     place, so both sides encode independently.
//   * A stretch whose text is a piece, and that was once seen to encode to just that piece, is
//   looked up.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace gemma3n {

inline constexpr uint32_t kNoMerge = UINT32_MAX;

struct Merge {
  TokenId left = -1, right = -1;
  uint32_t rank = kNoMerge;  // lower merges earlier
  TokenId result = -1;
};

// Ranks fall as scores rise; equal scores (0 and -0 too) have equal ranks. Precondition: finite.
uint32_t RankOfScore(float score);

// Merges by their pair: open addressing, linear probing.
class MergeTable {
 public:
  explicit MergeTable(size_t count = 0);
  // A pair that is there already takes the new rank.
  void Insert(const Merge& merge);
  void Prefetch(const Merge& merge) const {
    __builtin_prefetch(&slots_[Hash(merge.left, merge.right) & mask_], 1);
  }
  // The merge of a pair; its rank is kNoMerge when there is none.
  const Merge& Find(TokenId left, TokenId right) const {
    size_t i = Hash(left, right) & mask_;
    while (slots_[i].left >= 0 && (slots_[i].left != left || slots_[i].right != right)) {
      i = (i + 1) & mask_;
    }
    return slots_[i];
  }
  // Takes back every merge that makes `id`.
  void Forget(TokenId id);

 private:
  static size_t Hash(TokenId left, TokenId right) {
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15) >> 32);
  }

  HugeVector<Merge> slots_;  // left < 0: empty
  size_t mask_ = 0;
};

// Characters that are symbols from the start, by code point.
class CharTable {
 public:
  CharTable() : pages_(0x110000 / 256, -1) {}
  TokenId Find(char32_t c) const {
    const int32_t page = pages_[c >> 8];
    return page < 0 ? -1 : symbols_[page][c & 255];
  }
  void Set(char32_t c, TokenId symbol);

 private:
  std::vector<int32_t> pages_;
  std::vector<std::array<TokenId, 256>> symbols_;
};

// Which characters may stand side by side inside a mergeable piece. Exact for ASCII and U+2581; for
// others a filter that may say yes too often (then a stretch is longer than need be), never no.
class NeighbourFilter {
 public:
  NeighbourFilter() : ascii_{}, bits_(size_t{1} << (kLogBits - 6)) {}
  void Add(char32_t left, char32_t right);
  bool MayJoin(char32_t left, char32_t right) const {
    if (Fold(left) < 128 && Fold(right) < 128) {
      return ascii_[Fold(left)][Fold(right) >> 6] >> (Fold(right) & 63) & 1;
    }
    const size_t bit = Bit(left, right);
    return bits_[bit >> 6] >> (bit & 63) & 1;
  }

 private:
  static constexpr int kLogBits = 20;
  // Text has no plain spaces any more, so their place in the exact table is U+2581's.
  static char32_t Fold(char32_t c) { return c == 0x2581 ? U' ' : c; }
  static size_t Bit(char32_t left, char32_t right) {
    return ((static_cast<uint64_t>(left) << 21 | right) * 0x9E3779B97F4A7C15) >> (64 - kLogBits);
  }

  std::array<std::array<uint64_t, 2>, 128> ascii_;
  std::vector<uint64_t> bits_;
};

class Bpe {
 public:
  // SentencePiece: two symbols merge when their text is a normal piece; the best score first.
  // Precondition: CheckScores, which errs with kCorruptFile, for all normal pieces.
  static Bpe FromScores(const Vocabulary& vocabulary);
  static Status CheckScores(const Vocabulary& vocabulary, const std::string& name);
  // Hugging Face: the listed pairs merge, in the list's order (rank). Merges of byte pieces are
  // kUnsupported; merges that make special pieces are dropped, since text that spells one must not
  // become it.
  static Result<Bpe> FromMerges(const Vocabulary& vocabulary, HugeVector<Merge> merges,
                                const std::string& name);

  // Appends the ids of text that is normalised and has no added tokens. Characters without a piece
  // and bytes that are not UTF-8 become byte pieces. Thread-safe.
  void Encode(std::string_view text, const Vocabulary& vocabulary, std::vector<TokenId>* out) const;

  // `id` is about to get another text: no text merges into it any more.
  void Forget(TokenId id, const Vocabulary& vocabulary);

 private:
  explicit Bpe(TokenId pieces);
  void AddNeighbours(std::string_view piece);
  HugeVector<Merge> MergesOf(const std::vector<TokenId>& pieces, const Vocabulary& vocabulary);
  void Index(const HugeVector<Merge>& merges, const Vocabulary& vocabulary);
  TokenId SymbolOf(std::string_view text, TokenId id, const Vocabulary& vocabulary);
  void EncodeStretch(std::string_view text, size_t characters, const Vocabulary& vocabulary,
                     std::vector<TokenId>* out) const;
  void MergeShort(std::string_view text, const Vocabulary& vocabulary,
                  std::vector<TokenId>* out) const;
  void MergeLong(std::string_view text, const Vocabulary& vocabulary,
                 std::vector<TokenId>* out) const;
  void Emit(TokenId symbol, std::string_view text, const Vocabulary& vocabulary,
            std::vector<TokenId>* out) const;

  enum Whole : uint8_t { kUnseen = 0, kYes, kNo };

  MergeTable merges_;
  CharTable chars_;
  NeighbourFilter neighbours_;
  TokenId
      first_ghost_;  // symbols from here on are characters of pieces that are no pieces themselves
  TokenId next_ghost_;
  size_t longest_piece_ = 0;  // bytes
  // By id: whether the piece's text encodes to the piece. Learnt while encoding; each answer is the
  // same for ever, so that relaxed stores and loads suffice.
  std::unique_ptr<std::atomic<uint8_t>[]> whole_;
};

}  // namespace gemma3n
