#include "runtime/tokenizer_source.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gemma3n {
namespace {

Result<Tokenizer> FromGguf(const GgufFile& file) {
  const auto* tokens = file.GetStrings("tokenizer.ggml.tokens");
  const auto scores = file.GetFloats("tokenizer.ggml.scores");
  const auto types = file.GetInts("tokenizer.ggml.token_type");
  if (tokens == nullptr || !scores || !types) {
    return Error(StatusCode::kCorruptFile,
                 "{}: expected tokenizer.ggml.tokens, .scores and .token_type in the metadata, not "
                 "all are there",
                 file.path());
  }
  if (scores->size() != tokens->size() || types->size() != tokens->size()) {
    return Error(StatusCode::kCorruptFile, "{}: {} tokens but {} scores and {} token types",
                 file.path(), tokens->size(), scores->size(), types->size());
  }
  std::vector<Tokenizer::Piece> pieces(tokens->size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    pieces[i].text = (*tokens)[i];
    pieces[i].score = static_cast<float>((*scores)[i]);
    const int64_t type = (*types)[i];
    if (type < 1 || type > 6) {
      return Error(StatusCode::kCorruptFile, "{}: token {} has type {}, expected 1 to 6",
                   file.path(), i, type);
    }
    pieces[i].type = static_cast<PieceType>(type);
  }
  return Tokenizer::FromGgufPieces(std::move(pieces), file.path());
}

void AddPlaceholders(Tokenizer& tokenizer, const MultimodalTokens& ids) {
  const std::pair<int32_t, const char*> placeholders[] = {
      {ids.begin_image, "<start_of_image>"}, {ids.image, "<image_soft_token>"},
      {ids.end_image, "<end_of_image>"},     {ids.begin_audio, "<start_of_audio>"},
      {ids.audio, "<audio_soft_token>"},     {ids.end_audio, "<end_of_audio>"}};
  for (const auto& [id, text] : placeholders) {
    if (id >= 0) tokenizer.AddSpecialToken(id, text);
  }
}

}  // namespace

Result<Tokenizer> OpenTokenizer(const std::string& path, const Checkpoint& checkpoint,
                                const MultimodalTokens& tokens) {
  auto tokenizer = !path.empty()          ? Tokenizer::Open(path)
                   : checkpoint.is_gguf() ? FromGguf(*checkpoint.gguf())
                                          : Tokenizer::Open(checkpoint.path());
  if (!tokenizer.ok()) return tokenizer.status();
  AddPlaceholders(*tokenizer, tokens);
  return tokenizer;
}

Result<Tokenizer> OpenTokenizer(const std::string& path, const Checkpoint& checkpoint) {
  return OpenTokenizer(path, checkpoint, checkpoint.config().tokens);
}

}  // namespace gemma3n
