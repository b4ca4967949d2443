#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tokenizer/long_word.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

// Longer stretches merge through a heap: the scan's cost grows with the square of the length.
constexpr size_t kScanLimit = 48;

}  // namespace

uint32_t RankOfScore(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 + 0 is 0
  const uint32_t ascending = bits & 0x80000000 ? ~bits : bits | 0x80000000;
  return ~ascending;
}

// ---- tables
// -----------------------------------------------------------------------------------------------------

MergeTable::MergeTable(size_t count)
    : slots_(std::bit_ceil(std::max<size_t>(count, 4) * 2)), mask_(slots_.size() - 1) {}

void MergeTable::Insert(const Merge& merge) {
  size_t i = Hash(merge.left, merge.right) & mask_;
  while (slots_[i].left >= 0 && (slots_[i].left != merge.left || slots_[i].right != merge.right)) {
    i = (i + 1) & mask_;
  }
  slots_[i] = merge;
}

void MergeTable::Forget(TokenId id) {
  for (Merge& slot : slots_) {
    if (slot.result == id) slot.rank = kNoMerge;  // stays a link of its probe chain
  }
}

void CharTable::Set(char32_t c, TokenId symbol) {
  int32_t& page = pages_[c >> 8];
  if (page < 0) {
    page = static_cast<int32_t>(symbols_.size());
    symbols_.emplace_back().fill(-1);
  }
  symbols_[page][c & 255] = symbol;
}

void NeighbourFilter::Add(char32_t left, char32_t right) {
  if (Fold(left) < 128 && Fold(right) < 128) {
    ascii_[Fold(left)][Fold(right) >> 6] |= uint64_t{1} << (Fold(right) & 63);
    return;
  }
  const size_t bit = Bit(left, right);
  bits_[bit >> 6] |= uint64_t{1} << (bit & 63);
}

// ---- building
// ---------------------------------------------------------------------------------------------------

Bpe::Bpe(TokenId pieces)
    : first_ghost_(pieces),
      next_ghost_(pieces),
      whole_(std::make_unique<std::atomic<uint8_t>[]>(pieces)) {}

void Bpe::AddNeighbours(std::string_view piece) {
  char32_t previous = 0;
  for (size_t pos = 0; pos < piece.size();) {
    const Utf8Char c = DecodeUtf8(piece, pos);
    if (pos > 0) neighbours_.Add(previous, c.code);
    previous = c.code;
    pos += c.length;
  }
  longest_piece_ = std::max(longest_piece_, piece.size());
}

void Bpe::Index(const HugeVector<Merge>& merges, const Vocabulary& vocabulary) {
  merges_ = MergeTable(merges.size());
  TokenId last = -1;
  for (const Merge& merge : merges) {
    merges_.Insert(merge);
    if (merge.result != last)
      AddNeighbours(vocabulary[merge.result].text);  // mostly one run per piece
    last = merge.result;
  }
}

// The symbol that a part of a piece is: a normal piece, or a character; -1 for other texts. `id` is
// what the vocabulary has for the text.
TokenId Bpe::SymbolOf(std::string_view text, TokenId id, const Vocabulary& vocabulary) {
  if (id >= 0 && vocabulary[id].type == PieceType::kNormal) return id;
  const Utf8Char c = DecodeUtf8(text, 0);
  if (static_cast<size_t>(c.length) != text.size()) return -1;
  TokenId symbol = chars_.Find(c.code);
  if (symbol < 0) chars_.Set(c.code, symbol = next_ghost_++);
  return symbol;
}

// The merges that make the pieces: every way to cut each in two symbols.
HugeVector<Merge> Bpe::MergesOf(const std::vector<TokenId>& pieces, const Vocabulary& vocabulary) {
  HugeVector<Merge> merges;
  merges.reserve(pieces.size() * 5 / 2);
  std::vector<std::string_view> parts;  // left, right, left, right, ...
  std::vector<TokenId> ids, results;
  const auto flush = [&] {
    ids.resize(parts.size());
    vocabulary.FindAll(parts, ids.data());
    for (size_t i = 0; i < parts.size(); i += 2) {
      const TokenId left = SymbolOf(parts[i], ids[i], vocabulary);
      const TokenId right = left < 0 ? -1 : SymbolOf(parts[i + 1], ids[i + 1], vocabulary);
      const TokenId result = results[i / 2];
      if (right >= 0)
        merges.push_back({left, right, RankOfScore(vocabulary[result].score), result});
    }
    parts.clear();
    results.clear();
  };
  for (const TokenId id : pieces) {
    const std::string_view text = vocabulary[id].text;
    for (size_t cut = DecodeUtf8(text, 0).length; cut < text.size();
         cut += DecodeUtf8(text, cut).length) {
      parts.push_back(text.substr(0, cut));
      parts.push_back(text.substr(cut));
      results.push_back(id);
    }
    if (parts.size() > 1024) flush();
  }
  flush();
  return merges;
}

Status Bpe::CheckScores(const Vocabulary& vocabulary, const std::string& name) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const auto& piece = vocabulary[id];
    if (!IsValidUtf8(piece.text)) {
      return Error(StatusCode::kCorruptFile, "{}: piece {} is not valid UTF-8", name, id);
    }
    if (piece.type == PieceType::kNormal && !piece.text.empty() && !std::isfinite(piece.score)) {
      return Error(StatusCode::kCorruptFile, "{}: piece {} has score {}, expected a finite number",
                   name, id, piece.score);
    }
  }
  return OkStatus();
}

Bpe Bpe::FromScores(const Vocabulary& vocabulary) {
  Bpe bpe(vocabulary.size());
  std::vector<TokenId> longer;  // normal pieces of two characters or more
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const auto& piece = vocabulary[id];
    if (piece.type != PieceType::kNormal || piece.text.empty()) continue;
    const Utf8Char c = DecodeUtf8(piece.text, 0);
    if (static_cast<size_t>(c.length) == piece.text.size()) {
      bpe.chars_.Set(c.code, id);
    } else {
      longer.push_back(id);
    }
  }
  bpe.Index(bpe.MergesOf(longer, vocabulary), vocabulary);
  return bpe;
}

Result<Bpe> Bpe::FromMerges(const Vocabulary& vocabulary, HugeVector<Merge> merges,
                            const std::string& name) {
  Bpe bpe(vocabulary.size());
  const auto special = [&](TokenId id) {
    return vocabulary[id].type == PieceType::kControl || vocabulary[id].type == PieceType::kUnknown;
  };
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const auto& piece = vocabulary[id];
    if (piece.text.empty() || special(id)) continue;
    const Utf8Char c = DecodeUtf8(piece.text, 0);
    if (static_cast<size_t>(c.length) == piece.text.size()) bpe.chars_.Set(c.code, id);
  }
  for (const Merge& merge : merges) {
    if (vocabulary[merge.left].type == PieceType::kByte ||
        vocabulary[merge.right].type == PieceType::kByte) {
      return Error(
          StatusCode::kUnsupported,
          "{}: merge {} joins byte pieces (\"{}\" and \"{}\"), which no Gemma vocabulary does",
          name, merge.rank, vocabulary[merge.left].text, vocabulary[merge.right].text);
    }
  }
  std::erase_if(merges, [&](const Merge& merge) { return special(merge.result); });
  bpe.Index(merges, vocabulary);
  return bpe;
}

void Bpe::Forget(TokenId id, const Vocabulary& vocabulary) {
  if (id >= first_ghost_) return;
  const std::string_view text = vocabulary[id].text;
  if (text.empty()) return;
  merges_.Forget(id);
  const Utf8Char c = DecodeUtf8(text, 0);
  if (static_cast<size_t>(c.length) == text.size() && chars_.Find(c.code) == id) {
    chars_.Set(c.code, -1);
  }
  whole_[id].store(kNo, std::memory_order_relaxed);
}

// ---- encoding
// ---------------------------------------------------------------------------------------------------

namespace {

// A short stretch: the first n entries are the symbols that are left, side by side.
struct ShortWord {
  TokenId symbol[kScanLimit];
  uint32_t begin[kScanLimit];  // byte offset in the stretch
  uint32_t rank[kScanLimit];   // of the merge with the symbol to the right, or kNoMerge
  TokenId result[kScanLimit];  // of that merge
  size_t n = 0;

  void Look(const MergeTable& merges, size_t i) {
    rank[i] = kNoMerge;
    if (i + 1 >= n) return;
    const Merge& merge = merges.Find(symbol[i], symbol[i + 1]);
    rank[i] = merge.rank;
    result[i] = merge.result;
  }

  void MergeAll(const MergeTable& merges) {
    for (size_t i = 0; i < n; ++i) Look(merges, i);
    while (true) {
      const size_t best = std::min_element(rank, rank + n) - rank;
      if (rank[best] == kNoMerge) return;
      symbol[best] = result[best];
      --n;
      for (size_t i = best + 1; i < n; ++i) {
        symbol[i] = symbol[i + 1];
        begin[i] = begin[i + 1];
        rank[i] = rank[i + 1];
        result[i] = result[i + 1];
      }
      Look(merges, best);
      if (best > 0) Look(merges, best - 1);
    }
  }
};

}  // namespace

void Bpe::Emit(TokenId symbol, std::string_view text, const Vocabulary& vocabulary,
               std::vector<TokenId>* out) const {
  if (symbol >= 0 && symbol < first_ghost_) {
    out->push_back(symbol);
    return;
  }
  for (const char c : text) out->push_back(vocabulary.ByteId(static_cast<uint8_t>(c)));
}

void Bpe::MergeShort(std::string_view text, const Vocabulary& vocabulary,
                     std::vector<TokenId>* out) const {
  ShortWord word;
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Char c = DecodeUtf8(text, pos);
    word.symbol[word.n] = chars_.Find(c.code);
    word.begin[word.n++] = static_cast<uint32_t>(pos);
    pos += c.length;
  }
  word.MergeAll(merges_);
  for (size_t i = 0; i < word.n; ++i) {
    const size_t end = i + 1 < word.n ? word.begin[i + 1] : text.size();
    Emit(word.symbol[i], text.substr(word.begin[i], end - word.begin[i]), vocabulary, out);
  }
}

void Bpe::MergeLong(std::string_view text, const Vocabulary& vocabulary,
                    std::vector<TokenId>* out) const {
  LongWord word(text, [&](char32_t c, std::string_view) { return chars_.Find(c); });
  word.MergeAll([&](TokenId left, TokenId right, std::string_view) -> const Merge& {
    return merges_.Find(left, right);
  });
  word.ForEach([&](TokenId id, std::string_view part) { Emit(id, part, vocabulary, out); });
}

void Bpe::EncodeStretch(std::string_view text, size_t characters, const Vocabulary& vocabulary,
                        std::vector<TokenId>* out) const {
  if (characters == 0) return;
  const TokenId id = text.size() <= longest_piece_ ? vocabulary.Find(text) : -1;
  const bool known = id >= 0 && id < first_ghost_;
  const uint8_t whole = known ? whole_[id].load(std::memory_order_relaxed) : uint8_t{kNo};
  if (whole == kYes) {
    out->push_back(id);
    return;
  }
  const size_t before = out->size();
  if (characters <= kScanLimit) {
    MergeShort(text, vocabulary, out);
  } else {
    MergeLong(text, vocabulary, out);
  }
  if (whole == kUnseen) {
    const bool yes = out->size() == before + 1 && out->back() == id;
    whole_[id].store(yes ? kYes : kNo, std::memory_order_relaxed);
  }
}

void Bpe::Encode(std::string_view text, const Vocabulary& vocabulary,
                 std::vector<TokenId>* out) const {
  size_t start = 0, characters = 0;  // of the stretch that grows
  char32_t previous = 0;
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Char c = DecodeUtf8(text, pos);
    // Past a GiB a stretch is cut wherever it is, so that offsets fit 32 bits.
    const bool cut = c.length == 0 || (characters > 0 && !neighbours_.MayJoin(previous, c.code)) ||
                     pos - start > (size_t{1} << 30);
    if (cut) {
      EncodeStretch(text.substr(start, pos - start), characters, vocabulary, out);
      start = pos;
      characters = 0;
    }
    if (c.length == 0) {
      out->push_back(vocabulary.ByteId(static_cast<uint8_t>(text[pos])));
      start = ++pos;
      continue;
    }
    previous = c.code;
    ++characters;
    pos += c.length;
  }
  EncodeStretch(text.substr(start), characters, vocabulary, out);
}

}  // namespace gemma3n
