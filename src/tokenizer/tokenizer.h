// The Gemma tokenizer: SentencePiece BPE with byte fallback, loaded from any of the files that hold
// it.
//   spaces become U+2581 and nothing else is normalised; added and user-defined pieces are matched
//   whole before BPE.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

using TokenId = int32_t;

// What a piece is, numbered as in SentencePiece's model file and in GGUF's token_type.
enum class PieceType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

class Tokenizer {
 public:
  struct Piece {
    std::string text;
    float score = 0;  // BPE: the higher, the earlier it merges
    PieceType type = PieceType::kNormal;
  };

  // A hub directory (tokenizer.json first, else tokenizer.model) or one of those files.
  static Result<Tokenizer> Open(const std::string& path);
  static Result<Tokenizer> FromTokenizerJson(std::string_view json, const std::string& name);
  static Result<Tokenizer> FromSentencePiece(std::string_view model, const std::string& name);
  // From pieces as a GGUF file lists them (llama.cpp's spelling of space runs is undone).
  static Result<Tokenizer> FromGgufPieces(std::vector<Piece> pieces, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Adds a special token (matched whole, before everything else) where the file knows none by that
  // text, e.g. <image_soft_token> for checkpoints that come with a bare tokenizer.model. An id that
  // already has another text is renamed; an ordinary piece of this id and text becomes special. Not
  // while other threads use the tokenizer.
  void AddSpecialToken(TokenId id, std::string_view text);

  // Text to ids, without BOS. With parse_special, the texts of special (control, added) tokens
  // become their ids; without it they are spelled out as ordinary text. Invalid UTF-8 becomes byte
  // pieces. A tokenizer.json encodes as Hugging Face's tokenizers do, other files as SentencePiece
  // does (the two differ in runs of more than 31 spaces).
  std::vector<TokenId> Encode(std::string_view text, bool parse_special = true) const;

  // Ids to text, always valid UTF-8: byte pieces are fused, and bytes that make no character become
  // U+FFFD by the rules of the file's library. Special tokens are left out when skip_special.
  // Unknown ids are skipped. Decode(Encode(x)) is x for valid UTF-8 (but U+2581 comes back as a
  // space); TokenBytes gives back any bytes.
  std::string Decode(std::span<const TokenId> ids, bool skip_special = true) const;

  // Highest id + 1.
  int64_t vocab_size() const;
  // The piece as stored ("\u2581the"); "" for unknown ids.
  std::string_view TokenText(TokenId id) const;
  // What it adds to the output: bytes, with spaces for U+2581; "" for special tokens.
  std::string TokenBytes(TokenId id) const;
  // Control piece (added special tokens are such), or <unk>.
  bool IsSpecial(TokenId id) const;
  std::optional<TokenId> Find(std::string_view piece) const;
  // By id; ids without a piece have an empty text. Scores of a tokenizer.json follow from its
  // merges.
  const std::vector<Piece>& pieces() const;

  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  // For files that declare them elsewhere (GGUF metadata).
  void SetBos(std::optional<TokenId> id);
  void SetEos(std::optional<TokenId> id);

 private:
  friend class StreamingDecoder;
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Turns ids into text as they come, holding back bytes that do not yet end a UTF-8 character. All
// that Push and Finish return, joined, is what Decode returns. With a tokenizer.json a run of byte
// pieces comes out when it has ended: Hugging Face's decoder judges it as a whole.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  // The text that became complete with this token; may be empty.
  std::string Push(TokenId id);
  // What is left; each byte of an incomplete character becomes U+FFFD.
  std::string Finish();

 private:
  friend class Tokenizer;
  void Append(TokenId id, std::string* out);
  void EndRun(std::string* out);

  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::string pending_;  // the bytes of a run of byte pieces that are not out yet
};

}  // namespace gemma3n
