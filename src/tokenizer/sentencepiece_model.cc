// tokenizer.model: the fields of SentencePiece's ModelProto that matter here, read straight from
// the protobuf bytes.
//   ModelProto     1 pieces*  2 trainer_spec  3 normalizer_spec  5 denormalizer_spec
//   SentencePiece  1 piece  2 score  3 type
//   TrainerSpec    3 model_type  24 treat_whitespace_as_suffix  35 byte_fallback  46 bos_piece  47
//   eos_piece NormalizerSpec 2 precompiled_charsmap  3 add_dummy_prefix  4 remove_extra_whitespaces
//   5 escape_whitespaces
#include <bit>
#include <cstring>

#include "tokenizer/definition.h"

namespace gemma3n {
namespace {

// One field after another of a protobuf message. Every length is checked against what is left.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : rest_(bytes) {}

  // Reads the next field; false at the end of the message or when it is malformed (then ok() is
  // false).
  bool Next() {
    if (rest_.empty() || !ok_) return false;
    uint64_t tag = 0;
    if (!Varint(&tag) || tag >> 32 != 0 || tag >> 3 == 0) return ok_ = false;
    field_ = static_cast<uint32_t>(tag >> 3);
    wire_ = static_cast<uint32_t>(tag & 7);
    number_ = 0;
    bytes_ = {};
    switch (wire_) {
      case 0:
        return ok_ = Varint(&number_);
      case 1:
        return ok_ = Fixed(8);
      case 2: {
        uint64_t length = 0;
        return ok_ = Varint(&length) && Take(length, &bytes_);
      }
      case 5:
        return ok_ = Fixed(4);
      default:
        return ok_ = false;  // groups are long gone
    }
  }
  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  bool Is(uint32_t field, uint32_t wire) const { return field_ == field && wire_ == wire; }
  uint64_t number() const { return number_; }
  std::string_view bytes() const { return bytes_; }

 private:
  bool Varint(uint64_t* value) {
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Take(uint64_t length, std::string_view* bytes) {
    if (length > rest_.size()) return false;
    *bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return true;
  }
  bool Fixed(size_t size) {
    std::string_view bytes;
    if (!Take(size, &bytes)) return false;
    for (size_t i = 0; i < size; ++i) {
      number_ |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
    }
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
  uint32_t field_ = 0, wire_ = 0;
  uint64_t number_ = 0;
  std::string_view bytes_;
};

struct TrainerSpec {
  uint64_t model_type = 1;  // unigram
  bool space_as_suffix = false, byte_fallback = false;
  std::string bos = "<s>", eos = "</s>";
};

struct NormalizerSpec {
  bool charsmap = false, dummy_prefix = true, remove_spaces = true, escape_spaces = true;
};

Status Malformed(const std::string& name, const char* what) {
  return Error(StatusCode::kCorruptFile, "{}: not a SentencePiece model ({} is malformed)", name,
               what);
}

Status ReadPiece(std::string_view bytes, const std::string& name, size_t id,
                 Tokenizer::Piece* piece) {
  ProtoReader in(bytes);
  while (in.Next()) {
    if (in.Is(1, 2)) piece->text = in.bytes();
    if (in.Is(2, 5)) piece->score = std::bit_cast<float>(static_cast<uint32_t>(in.number()));
    if (in.Is(3, 0)) {
      if (in.number() < 1 || in.number() > 6) {
        return Error(StatusCode::kCorruptFile, "{}: piece {} has type {}, expected 1 to 6", name,
                     id, in.number());
      }
      piece->type = static_cast<PieceType>(in.number());
    }
  }
  if (!in.ok()) return Malformed(name, "a piece");
  if (piece->text.empty())
    return Error(StatusCode::kCorruptFile, "{}: piece {} has no text", name, id);
  if (piece->type == PieceType::kUnused) {
    return Error(StatusCode::kUnsupported,
                 "{}: piece {} (\"{}\") is marked unused, which no Gemma vocabulary has", name, id,
                 piece->text);
  }
  return OkStatus();
}

Status ReadTrainerSpec(std::string_view bytes, const std::string& name, TrainerSpec* spec) {
  ProtoReader in(bytes);
  while (in.Next()) {
    if (in.Is(3, 0)) spec->model_type = in.number();
    if (in.Is(24, 0)) spec->space_as_suffix = in.number() != 0;
    if (in.Is(35, 0)) spec->byte_fallback = in.number() != 0;
    if (in.Is(46, 2)) spec->bos = in.bytes();
    if (in.Is(47, 2)) spec->eos = in.bytes();
  }
  return in.ok() ? OkStatus() : Malformed(name, "trainer_spec");
}

Status ReadNormalizerSpec(std::string_view bytes, const std::string& name, NormalizerSpec* spec) {
  ProtoReader in(bytes);
  while (in.Next()) {
    if (in.Is(2, 2)) spec->charsmap = !in.bytes().empty();
    if (in.Is(3, 0)) spec->dummy_prefix = in.number() != 0;
    if (in.Is(4, 0)) spec->remove_spaces = in.number() != 0;
    if (in.Is(5, 0)) spec->escape_spaces = in.number() != 0;
  }
  return in.ok() ? OkStatus() : Malformed(name, "normalizer_spec");
}

Status CheckSpecs(const std::string& name, const TrainerSpec& trainer,
                  const NormalizerSpec& normalizer, const NormalizerSpec& denormalizer) {
  const auto refuse = [&](const char* found, const char* expected) {
    return Error(StatusCode::kUnsupported, "{}: {}, expected {} as in Gemma's tokenizer.model",
                 name, found, expected);
  };
  if (trainer.model_type != 2) return refuse("the model is not BPE", "BPE");
  if (!trainer.byte_fallback) return refuse("no byte fallback", "byte fallback");
  if (trainer.space_as_suffix) return refuse("spaces are suffixes", "prefixes");
  if (normalizer.charsmap) return refuse("the normaliser rewrites characters", "none");
  if (normalizer.dummy_prefix) return refuse("the normaliser puts a space before the text", "none");
  if (normalizer.remove_spaces) return refuse("the normaliser removes extra spaces", "all kept");
  if (!normalizer.escape_spaces) return refuse("spaces stay spaces", "U+2581 for a space");
  if (denormalizer.charsmap) return refuse("there is a denormaliser", "none");
  return OkStatus();
}

}  // namespace

Result<TokenizerDefinition> ReadSentencePieceModel(std::string_view bytes,
                                                   const std::string& name) {
  std::vector<Tokenizer::Piece> pieces;
  TrainerSpec trainer;
  NormalizerSpec normalizer, denormalizer;
  ProtoReader in(bytes);
  while (in.Next()) {
    if (in.Is(1, 2)) {
      const size_t id = pieces.size();
      G3N_RETURN_IF_ERROR(ReadPiece(in.bytes(), name, id, &pieces.emplace_back()));
    }
    if (in.Is(2, 2)) G3N_RETURN_IF_ERROR(ReadTrainerSpec(in.bytes(), name, &trainer));
    if (in.Is(3, 2)) G3N_RETURN_IF_ERROR(ReadNormalizerSpec(in.bytes(), name, &normalizer));
    if (in.Is(5, 2)) G3N_RETURN_IF_ERROR(ReadNormalizerSpec(in.bytes(), name, &denormalizer));
  }
  if (!in.ok()) return Malformed(name, "the protobuf message");
  if (pieces.empty())
    return Error(StatusCode::kCorruptFile, "{}: no pieces, expected a SentencePiece model", name);
  G3N_RETURN_IF_ERROR(CheckSpecs(name, trainer, normalizer, denormalizer));
  TokenizerDefinition d;
  G3N_ASSIGN_OR_RETURN(d.vocabulary, Vocabulary::Build(std::move(pieces), name));
  d.bos = trainer.bos;
  d.eos = trainer.eos;
  return d;
}

}  // namespace gemma3n
