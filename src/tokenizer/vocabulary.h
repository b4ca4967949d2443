// Pieces by id and by text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/huge_pages.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// "<0x0A>" -> 10; -1 for every other text.
int ByteOfPiece(std::string_view text);

class Vocabulary {
 public:
  using Piece = Tokenizer::Piece;

  // Takes the pieces and indexes them by text. Empty texts and kUnused pieces are in no index: no
  // text becomes them. Errors: kCorruptFile when two pieces have one text, or a byte value has no
  // piece.
  static Result<Vocabulary> Build(std::vector<Piece> pieces, const std::string& name);

  const std::vector<Piece>& pieces() const { return pieces_; }
  TokenId size() const { return static_cast<TokenId>(pieces_.size()); }
  const Piece& operator[](TokenId id) const { return pieces_[id]; }

  // The id of a text, -1 when there is none.
  TokenId Find(std::string_view text) const;
  // Find of many texts. Much faster than one by one: the table lies outside the caches, and this
  // overlaps the misses.
  void FindAll(std::span<const std::string_view> texts, TokenId* ids) const;
  // The piece "<0xNN>" of a byte; Build made sure of it.
  TokenId ByteId(uint8_t byte) const { return byte_ids_[byte]; }

  // Gives `id` another text and type; ids in between that did not exist become empty kUnused
  // pieces.
  void Rename(TokenId id, std::string_view text, PieceType type);
  void SetScore(TokenId id, float score) { pieces_[id].score = score; }
  void SetType(TokenId id, PieceType type) { pieces_[id].type = type; }

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = kEmpty;
  };
  static constexpr TokenId kEmpty = -1, kErased = -2;

  // Indexes pieces_[id]; the id that has its text already, or -1.
  TokenId Insert(TokenId id, uint32_t hash);
  Status IndexBytes(const std::string& name);
  void Grow(size_t entries);

  std::vector<Piece> pieces_;
  HugeVector<Slot> slots_;  // open addressing, linear probing; a power of two, at most 3/4 full
  size_t used_ = 0;         // slots that are not kEmpty
  TokenId byte_ids_[256] = {};
};

}  // namespace gemma3n
