#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gemma3n {
namespace {

template <typename Word>
uint64_t Load(const char* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Multiply and fold, eight bytes at a time; the last step reads the last bytes, some of them again.
// Pieces are short: a stronger hash costs more than it spares.
uint32_t HashText(std::string_view text) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;
  const size_t n = text.size();
  const char* p = text.data();
  uint64_t h = n * kMultiplier;
  const auto mix = [&h](uint64_t word) {
    h = (h ^ word) * kMultiplier;
    h ^= h >> 32;
  };
  if (n >= 8) {
    for (size_t i = 0; i + 8 < n; i += 8) mix(Load<uint64_t>(p + i));
    mix(Load<uint64_t>(p + n - 8));
  } else if (n >= 4) {
    mix(Load<uint32_t>(p) | Load<uint32_t>(p + n - 4) << 32);
  } else if (n > 0) {
    mix(Load<uint8_t>(p) | Load<uint8_t>(p + n / 2) << 8 | Load<uint8_t>(p + n - 1) << 16);
  }
  return static_cast<uint32_t>(h ^ h >> 29);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

int ByteOfPiece(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = HexDigit(text[3]), low = HexDigit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Status Vocabulary::IndexBytes(const std::string& name) {
  std::fill_n(byte_ids_, 256, -1);
  for (TokenId id = 0; id < size(); ++id) {
    if (pieces_[id].type != PieceType::kByte) continue;
    const int byte = ByteOfPiece(pieces_[id].text);
    if (byte < 0) {
      return Error(StatusCode::kCorruptFile,
                   "{}: byte piece {} is \"{}\", expected a text like \"<0x0A>\"", name, id,
                   pieces_[id].text);
    }
    byte_ids_[byte] = id;
  }
  const auto* missing = std::find(byte_ids_, byte_ids_ + 256, -1);
  if (missing == byte_ids_ + 256) return OkStatus();
  return Error(StatusCode::kUnsupported,
               "{}: no piece for byte 0x{:02X}; a Gemma vocabulary has one for each of 256", name,
               missing - byte_ids_);
}

Result<Vocabulary> Vocabulary::Build(std::vector<Piece> pieces, const std::string& name) {
  Vocabulary v;
  v.pieces_ = std::move(pieces);
  v.Grow(v.pieces_.size());
  // The table is larger than the caches: ask for each slot some steps before it is needed.
  constexpr TokenId kAhead = 16;
  std::vector<uint32_t> hashes(v.pieces_.size());
  for (TokenId id = 0; id < v.size(); ++id) hashes[id] = HashText(v.pieces_[id].text);
  for (TokenId id = 0; id < v.size(); ++id) {
    if (id + kAhead < v.size())
      __builtin_prefetch(&v.slots_[hashes[id + kAhead] & (v.slots_.size() - 1)], 1);
    if (v.pieces_[id].text.empty() || v.pieces_[id].type == PieceType::kUnused) continue;
    if (const TokenId other = v.Insert(id, hashes[id]); other >= 0) {
      return Error(StatusCode::kCorruptFile, "{}: pieces {} and {} are both \"{}\"", name, other,
                   id, v.pieces_[id].text);
    }
  }
  G3N_RETURN_IF_ERROR(v.IndexBytes(name));
  return v;
}

TokenId Vocabulary::Find(std::string_view text) const {
  const uint32_t hash = HashText(text);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask; slots_[i].id != kEmpty; i = (i + 1) & mask) {
    if (slots_[i].hash == hash && slots_[i].id >= 0 && pieces_[slots_[i].id].text == text) {
      return slots_[i].id;
    }
  }
  return -1;
}

void Vocabulary::FindAll(std::span<const std::string_view> texts, TokenId* ids) const {
  constexpr size_t kBlock = 64;
  const size_t mask = slots_.size() - 1;
  for (; !texts.empty(); texts = texts.subspan(std::min(kBlock, texts.size())), ids += kBlock) {
    const size_t n = std::min(kBlock, texts.size());
    uint32_t hash[kBlock];
    for (size_t k = 0; k < n; ++k) {
      hash[k] = HashText(texts[k]);
      __builtin_prefetch(&slots_[hash[k] & mask]);
    }
    for (size_t k = 0; k < n; ++k) {
      size_t i = hash[k] & mask;
      while (slots_[i].id != kEmpty && (slots_[i].hash != hash[k] || slots_[i].id < 0))
        i = (i + 1) & mask;
      ids[k] = slots_[i].id;
      if (ids[k] >= 0) __builtin_prefetch(&pieces_[ids[k]]);
    }
    for (size_t k = 0; k < n; ++k) {
      if (ids[k] >= 0 && pieces_[ids[k]].text != texts[k]) ids[k] = Find(texts[k]);
    }
  }
}

TokenId Vocabulary::Insert(TokenId id, uint32_t hash) {
  const std::string& text = pieces_[id].text;
  if (used_ + 1 + used_ / 3 > slots_.size()) Grow(used_ + 1);
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  for (; slots_[i].id != kEmpty; i = (i + 1) & mask) {
    if (slots_[i].hash == hash && slots_[i].id >= 0 && pieces_[slots_[i].id].text == text) {
      return slots_[i].id;
    }
  }
  slots_[i] = {hash, id};
  ++used_;
  return -1;
}

void Vocabulary::Grow(size_t entries) {
  HugeVector<Slot> old = std::move(slots_);
  slots_.assign(std::bit_ceil(std::max<size_t>(entries + entries / 3, 8) + 1), Slot{});
  used_ = 0;
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    size_t i = slot.hash & mask;
    while (slots_[i].id != kEmpty) i = (i + 1) & mask;
    slots_[i] = slot;
    ++used_;
  }
}

void Vocabulary::Rename(TokenId id, std::string_view text, PieceType type) {
  if (id >= size()) pieces_.resize(id + 1, Piece{"", 0, PieceType::kUnused});
  Piece& piece = pieces_[id];
  if (Find(piece.text) == id) {
    const uint32_t hash = HashText(piece.text);
    const size_t mask = slots_.size() - 1;
    size_t i = hash & mask;
    while (slots_[i].id != id) i = (i + 1) & mask;
    slots_[i].id = kErased;
  }
  piece = {std::string(text), 0, type};
  Insert(id, HashText(piece.text));
}

}  // namespace gemma3n
