// Ids to text. Runs of byte pieces follow the rules of the library that the vocabulary's file
// belongs to:
//   SentencePiece  takes a run character by character; each byte that begins no valid one is a
//   U+FFFD. Hugging Face   takes a run as a whole: valid UTF-8, or as many U+FFFD as it has bytes.
//   Special tokens that are left
//                  out do not end a run.
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

// Moves characters, and bytes that can begin none, from the front of `run` to `out`; what may yet
// become a character stays, unless `all`.
void DrainCharacters(std::string* run, bool all, std::string* out) {
  size_t pos = 0;
  while (pos < run->size()) {
    const Utf8Char c = DecodeUtf8(*run, pos);
    if (c.length > 0) {
      out->append(*run, pos, c.length);
      pos += c.length;
    } else if (all || !MayBecomeUtf8(*run, pos)) {
      out->append(kReplacementUtf8);
      ++pos;
    } else {
      break;
    }
  }
  run->erase(0, pos);
}

}  // namespace

void StreamingDecoder::EndRun(std::string* out) {
  if (pending_.empty()) return;
  if (tokenizer_.impl_->rules == TokenizerRules::kSentencePiece) {
    DrainCharacters(&pending_, true, out);
  } else if (IsValidUtf8(pending_)) {
    out->append(pending_);
  } else {
    for (size_t i = 0; i < pending_.size(); ++i) out->append(kReplacementUtf8);
  }
  pending_.clear();
}

void StreamingDecoder::Append(TokenId id, std::string* out) {
  const Tokenizer::Impl& t = *tokenizer_.impl_;
  if (!t.Knows(id)) return;
  const Tokenizer::Piece& piece = t.vocabulary[id];
  if (piece.type == PieceType::kByte) {
    pending_.push_back(static_cast<char>(ByteOfPiece(piece.text)));
    if (t.rules == TokenizerRules::kSentencePiece) DrainCharacters(&pending_, false, out);
    return;
  }
  const bool skip = skip_special_ && t.IsSpecial(id);
  if (skip && t.rules == TokenizerRules::kHuggingFace) return;
  EndRun(out);
  if (!skip) out->append(SpacesFromMarks(piece.text));
}

std::string StreamingDecoder::Push(TokenId id) {
  std::string text;
  Append(id, &text);
  return text;
}

std::string StreamingDecoder::Finish() {
  std::string text;
  EndRun(&text);
  return text;
}

}  // namespace gemma3n
