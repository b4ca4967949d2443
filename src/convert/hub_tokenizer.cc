#include "convert/hub_tokenizer.h"

#include <bit>
#include <string_view>

#include "formats/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

using nlohmann::json;

// The few protobuf encodings that a SentencePiece model needs.
class Message {
 public:
  void Varint(uint32_t field, uint64_t value) {
    Raw(field << 3);
    Raw(value);
  }
  void Float(uint32_t field, float value) {
    Raw(field << 3 | 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFF);
  }
  void Bytes(uint32_t field, std::string_view value) {
    Raw(field << 3 | 2);
    Raw(value.size());
    bytes_ += value;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// TrainerSpec: a BPE model with byte fallback, and the ids of its special pieces.
std::string TrainerSpec(const GgufFile& file, const std::vector<std::string_view>& tokens) {
  Message spec;
  spec.Varint(3, 2);  // model_type BPE
  spec.Varint(4, tokens.size());
  spec.Varint(35, 1);  // byte_fallback
  struct Special {
    const char* key;
    uint32_t id_field, piece_field;
  };
  for (const Special& s : {Special{"unknown_token_id", 40, 45}, Special{"bos_token_id", 41, 46},
                           Special{"eos_token_id", 42, 47}, Special{"padding_token_id", 43, 48}}) {
    const auto id = file.GetInt(std::string("tokenizer.ggml.") + s.key);
    if (!id || *id < 0 || *id >= static_cast<int64_t>(tokens.size())) continue;
    spec.Varint(s.id_field, static_cast<uint64_t>(*id));
    spec.Bytes(s.piece_field, tokens[static_cast<size_t>(*id)]);
  }
  return spec.bytes();
}

}  // namespace

std::optional<std::string> SentencePieceModel(const GgufFile& file) {
  const auto* tokens = file.GetStrings("tokenizer.ggml.tokens");
  const auto scores = file.GetFloats("tokenizer.ggml.scores");
  const auto types = file.GetInts("tokenizer.ggml.token_type");
  if (tokens == nullptr || !scores || !types || scores->size() != tokens->size() ||
      types->size() != tokens->size()) {
    return std::nullopt;
  }
  // Slots without a piece: left out at the end, never matched in between.
  size_t count = tokens->size();
  while (count > 0 && (*types)[count - 1] == static_cast<int64_t>(PieceType::kUnused)) --count;
  Message model;
  for (size_t i = 0; i < count; ++i) {
    const bool is_unused = (*types)[i] == static_cast<int64_t>(PieceType::kUnused);
    const int64_t type = is_unused ? static_cast<int64_t>(PieceType::kControl) : (*types)[i];
    const bool matched_whole = type == static_cast<int64_t>(PieceType::kUserDefined);
    const bool is_normal = type == static_cast<int64_t>(PieceType::kNormal);
    Message piece;
    // llama.cpp spells the pieces that are matched whole with plain spaces.
    std::string text((*tokens)[i]);
    if (matched_whole) {
      text.clear();
      AppendNormalized((*tokens)[i], &text);
    }
    piece.Bytes(1, text);
    piece.Float(2, is_normal ? static_cast<float>((*scores)[i]) : 0);
    if (!is_normal) piece.Varint(3, static_cast<uint64_t>(type));
    model.Bytes(1, piece.bytes());
  }
  model.Bytes(2, TrainerSpec(file, {tokens->begin(), tokens->begin() + count}));
  Message normalizer;
  normalizer.Bytes(1, "identity");
  normalizer.Varint(3, 0);  // add_dummy_prefix
  normalizer.Varint(4, 0);  // remove_extra_whitespaces
  normalizer.Varint(5, 1);  // escape_whitespaces
  model.Bytes(3, normalizer.bytes());
  return model.bytes();
}

std::string TokenizerConfigJson(const GgufFile& file) {
  json config = {{"tokenizer_class", "GemmaTokenizer"},
                 {"add_bos_token", file.GetBool("tokenizer.ggml.add_bos_token").value_or(true)},
                 {"add_eos_token", false}};
  const auto* tokens = file.GetStrings("tokenizer.ggml.tokens");
  for (const auto& [key, name] :
       {std::pair("bos_token_id", "bos_token"), std::pair("eos_token_id", "eos_token"),
        std::pair("unknown_token_id", "unk_token"), std::pair("padding_token_id", "pad_token")}) {
    const auto id = file.GetInt(std::string("tokenizer.ggml.") + key);
    if (tokens == nullptr || !id || *id < 0 || *id >= static_cast<int64_t>(tokens->size()))
      continue;
    config[name] = std::string((*tokens)[static_cast<size_t>(*id)]);
  }
  if (const auto text = file.GetString("tokenizer.chat_template")) {
    config["chat_template"] = std::string(*text);
  }
  return DumpJson(config, 2) + "\n";
}

std::string GenerationConfigJson(const ModelConfig& config) {
  const GenerationDefaults& g = config.generation;
  json document = {{"bos_token_id", config.bos}, {"eos_token_id", config.end_tokens}};
  if (config.pad >= 0) document["pad_token_id"] = config.pad;
  if (g.temperature) document["do_sample"] = *g.temperature > 0;
  if (g.do_sample) document["do_sample"] = *g.do_sample;
  if (g.temperature && *g.temperature > 0)
    document["temperature"] = ShortestDecimal(*g.temperature);
  if (g.top_p) document["top_p"] = ShortestDecimal(*g.top_p);
  if (g.top_k) document["top_k"] = *g.top_k;
  return DumpJson(document, 2) + "\n";
}

}  // namespace gemma3n
