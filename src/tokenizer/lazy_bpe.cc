#include "tokenizer/lazy_bpe.h"

#include <utility>

#include "tokenizer/long_word.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

void EncodeStretch(std::string_view text, const Vocabulary& vocabulary, std::vector<TokenId>* out) {
  if (text.empty()) return;
  const auto normal = [&](std::string_view part) {
    const TokenId id = vocabulary.Find(part);
    return id >= 0 && vocabulary[id].type == PieceType::kNormal ? id : -1;
  };
  LongWord word(text, [&](char32_t, std::string_view character) { return normal(character); });
  word.MergeAll([&](TokenId left, TokenId right, std::string_view joint) {
    const TokenId id = normal(joint);
    return id < 0 ? Merge() : Merge{left, right, RankOfScore(vocabulary[id].score), id};
  });
  word.ForEach([&](TokenId id, std::string_view part) {
    if (id >= 0) return out->push_back(id);
    for (const char c : part) out->push_back(vocabulary.ByteId(static_cast<uint8_t>(c)));
  });
}

// SentencePiece's rule, pair by pair; bytes that are no UTF-8 part the text.
void EncodeByText(std::string_view text, const Vocabulary& vocabulary, std::vector<TokenId>* out) {
  size_t start = 0;
  for (size_t pos = 0; pos < text.size();) {
    const int length = DecodeUtf8(text, pos).length;
    if (length > 0) {
      pos += length;
      continue;
    }
    EncodeStretch(text.substr(start, pos - start), vocabulary, out);
    out->push_back(vocabulary.ByteId(static_cast<uint8_t>(text[pos])));
    start = ++pos;
  }
  EncodeStretch(text.substr(start), vocabulary, out);
}

}  // namespace

LazyBpe::LazyBpe(Bpe bpe) : LazyBpe() {
  std::call_once(state_->once, [&] { state_->bpe = std::move(bpe); });
  state_->ready = true;
}

Result<LazyBpe> LazyBpe::FromScores(const Vocabulary& vocabulary, const std::string& name) {
  G3N_RETURN_IF_ERROR(Bpe::CheckScores(vocabulary, name));
  return LazyBpe();
}

Bpe& LazyBpe::Tables(const Vocabulary& vocabulary) const {
  std::call_once(state_->once, [&] { state_->bpe = Bpe::FromScores(vocabulary); });
  state_->ready.store(true, std::memory_order_release);
  return *state_->bpe;
}

void LazyBpe::Encode(std::string_view text, const Vocabulary& vocabulary,
                     std::vector<TokenId>* out) const {
  if (!state_->ready.load(std::memory_order_acquire)) {
    const size_t before = state_->encoded.fetch_add(text.size(), std::memory_order_relaxed);
    if (before < kWithout && text.size() <= kWithout) return EncodeByText(text, vocabulary, out);
  }
  Tables(vocabulary).Encode(text, vocabulary, out);
}

void LazyBpe::Forget(TokenId id, const Vocabulary& vocabulary) {
  Tables(vocabulary).Forget(id, vocabulary);
}

}  // namespace gemma3n
