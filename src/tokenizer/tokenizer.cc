#include "tokenizer/tokenizer.h"

#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/utf8.h"

namespace gemma3n {

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::Encode(std::string_view text, bool parse_special) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 8);
  std::string normalized;
  const auto token = [&](TokenId id) { ids.push_back(id); };
  const auto stretch = [&](std::string_view part) {
    impl_->bpe.Encode(part, impl_->vocabulary, &ids);
  };
  impl_->before.Split(
      text, parse_special,
      [&](std::string_view part) {
        normalized.clear();
        AppendNormalized(part, &normalized);
        impl_->after.Split(normalized, parse_special, stretch, token);
      },
      token);
  return ids;
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool skip_special) const {
  StreamingDecoder decoder(*this, skip_special);
  std::string text;
  text.reserve(ids.size() * 4);
  for (const TokenId id : ids) decoder.Append(id, &text);
  text += decoder.Finish();
  return text;
}

void Tokenizer::AddSpecialToken(TokenId id, std::string_view text) {
  constexpr TokenId kMaxId = 1 << 24;  // a vocabulary is a table by id: no room for wild ones
  if (text.empty() || id < 0 || id >= kMaxId) return;
  Impl& t = *impl_;
  const TokenId known = t.vocabulary.Find(text);
  if (known >= 0 && (known != id || t.IsSpecial(id))) return;
  if (id < t.vocabulary.size()) {
    const std::string& old = t.vocabulary[id].text;
    std::string normalized;
    AppendNormalized(old, &normalized);
    t.before.Remove(old);
    t.after.Remove(normalized);
    t.bpe.Forget(id, t.vocabulary);
  }
  t.vocabulary.Rename(id, text, PieceType::kControl);
  t.before.Add({id, std::string(text), true}, text);
}

int64_t Tokenizer::vocab_size() const { return impl_->vocabulary.size(); }

std::string_view Tokenizer::TokenText(TokenId id) const {
  return impl_->Knows(id) ? std::string_view(impl_->vocabulary[id].text) : std::string_view();
}

std::string Tokenizer::TokenBytes(TokenId id) const {
  if (!impl_->Knows(id) || impl_->IsSpecial(id)) return {};
  const Piece& piece = impl_->vocabulary[id];
  if (piece.type == PieceType::kByte)
    return std::string(1, static_cast<char>(ByteOfPiece(piece.text)));
  return SpacesFromMarks(piece.text);
}

bool Tokenizer::IsSpecial(TokenId id) const { return impl_->Knows(id) && impl_->IsSpecial(id); }

std::optional<TokenId> Tokenizer::Find(std::string_view piece) const {
  const TokenId id = impl_->vocabulary.Find(piece);
  return id < 0 ? std::nullopt : std::optional(id);
}

const std::vector<Tokenizer::Piece>& Tokenizer::pieces() const {
  return impl_->vocabulary.pieces();
}
std::optional<TokenId> Tokenizer::bos() const { return impl_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->eos; }
void Tokenizer::SetBos(std::optional<TokenId> id) { impl_->bos = id; }
void Tokenizer::SetEos(std::optional<TokenId> id) { impl_->eos = id; }

}  // namespace gemma3n
