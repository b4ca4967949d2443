#include "convert/gguf_metadata.h"

#include <algorithm>
#include <limits>

#include "convert/type_policy.h"

namespace gemma3n {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // of ggml's block formats
// What llama.cpp's own converter gives pieces that are matched whole: never the best merge.
constexpr float kUserDefinedScore = -1000;

uint32_t U32(int64_t value) { return static_cast<uint32_t>(value); }

// Pieces that are matched whole are matched on the raw text, before spaces become U+2581.
std::string WithPlainSpaces(std::string_view piece) {
  constexpr std::string_view kMark = "\xE2\x96\x81";
  std::string text;
  for (size_t i = 0; i < piece.size();) {
    if (piece.substr(i, kMark.size()) == kMark) {
      text += ' ';
      i += kMark.size();
    } else {
      text += piece[i++];
    }
  }
  return text;
}

}  // namespace

const std::string& MetadataWriter::Key(std::string key) {
  written_.insert(key);
  last_ = std::move(key);
  return last_;
}

void MetadataWriter::Model(const ModelConfig& config, GgufType type, const std::string& name) {
  const TextConfig& c = config.text;
  GgufWriter& w = writer_;
  const auto key = [&](const char* k) -> const std::string& {
    return Key(std::string("gemma3n.") + k);
  };
  w.AddString(Key("general.architecture"), "gemma3n");
  w.AddString(Key("general.type"), "model");
  if (!name.empty()) w.AddString(Key("general.name"), name);
  w.AddU32(Key("general.file_type"), FileTypeNumber(type));
  w.AddU32(Key("general.quantization_version"), kQuantizationVersion);
  w.AddU32(key("context_length"), U32(c.max_position));
  w.AddU32(key("embedding_length"), U32(c.hidden_size));
  w.AddU32(key("block_count"), U32(c.num_layers));
  const auto& widths = c.intermediate_size;
  if (std::all_of(widths.begin(), widths.end(), [&](int64_t f) { return f == widths.front(); })) {
    w.AddU32(key("feed_forward_length"), U32(widths.front()));
  } else {
    w.AddI32s(key("feed_forward_length"), {widths.begin(), widths.end()});
  }
  w.AddU32(key("attention.head_count"), U32(c.num_heads));
  w.AddU32(key("attention.head_count_kv"), U32(c.num_kv_heads));
  w.AddU32(key("attention.key_length"), U32(c.head_dim));
  w.AddU32(key("attention.value_length"), U32(c.head_dim));
  w.AddF32(key("attention.layer_norm_rms_epsilon"), c.rms_norm_eps);
  w.AddU32(key("attention.sliding_window"), U32(c.sliding_window));
  w.AddBools(key("attention.sliding_window_pattern"), c.sliding);
  w.AddU32(key("attention.shared_kv_layers"), U32(c.num_kv_shared_layers));
  w.AddF32(key("rope.freq_base"), c.rope_theta_full);
  w.AddF32(key("rope.freq_base_swa"), c.rope_theta_sliding);
  if (c.final_logit_softcap > 0) w.AddF32(key("final_logit_softcapping"), c.final_logit_softcap);
  w.AddU32(key("altup.active_idx"), U32(c.altup_active_idx));
  w.AddU32(key("altup.num_inputs"), U32(c.altup_num_inputs));
  w.AddU32(key("embedding_length_per_layer_input"), U32(c.per_layer_dim));
  std::vector<float> scales;
  for (float z : c.sparsity_z) {
    scales.push_back(z == 0 ? -std::numeric_limits<float>::infinity() : z);
  }
  w.AddF32s(key("activation_sparsity_scale"), scales);
  // Not among llama.cpp's keys: where the per-layer table's padding begins.
  w.AddU32(key("vocab_size_per_layer_input"), U32(c.vocab_size_per_layer));
  const GenerationDefaults& g = config.generation;
  if (g.do_sample == false || g.temperature) {
    w.AddF32(Key("general.sampling.temp"), g.do_sample == false ? 0 : *g.temperature);
  }
  if (g.top_k) w.AddI32(Key("general.sampling.top_k"), *g.top_k);
  if (g.top_p) w.AddF32(Key("general.sampling.top_p"), *g.top_p);
}

void MetadataWriter::Vocabulary(const Tokenizer& tokenizer, const ModelConfig& config,
                                const std::optional<std::string>& chat_template) {
  GgufWriter& w = writer_;
  const auto key = [&](const char* k) -> const std::string& {
    return Key(std::string("tokenizer.ggml.") + k);
  };
  const auto& pieces = tokenizer.pieces();
  const auto vocab = static_cast<size_t>(config.text.vocab_size);
  std::vector<std::string> tokens(vocab);
  std::vector<float> scores(vocab, kUserDefinedScore);
  std::vector<int32_t> types(vocab, static_cast<int32_t>(PieceType::kUnused));
  std::optional<uint32_t> unknown;
  for (size_t i = 0; i < vocab; ++i) {
    if (i >= pieces.size() || pieces[i].text.empty()) {
      tokens[i] = fmt::format("[PAD{}]", i);
      continue;
    }
    const Tokenizer::Piece& piece = pieces[i];
    const bool matched_whole = piece.type == PieceType::kUserDefined;
    tokens[i] = matched_whole ? WithPlainSpaces(piece.text) : piece.text;
    scores[i] = matched_whole ? kUserDefinedScore : piece.score;
    types[i] = static_cast<int32_t>(piece.type);
    if (piece.type == PieceType::kUnknown && !unknown) unknown = static_cast<uint32_t>(i);
  }
  w.AddString(key("model"), "llama");
  w.AddString(key("pre"), "default");
  w.AddStrings(key("tokens"), tokens);
  w.AddF32s(key("scores"), scores);
  w.AddI32s(key("token_type"), types);
  w.AddU32(key("bos_token_id"), U32(config.bos));
  const auto& ends = config.end_tokens;
  w.AddU32(key("eos_token_id"), U32(ends.empty() ? tokenizer.eos().value_or(1) : ends.front()));
  for (size_t i = 1; i < ends.size(); ++i) {  // llama.cpp has one more slot: the end of a turn
    const bool is_turn = tokenizer.TokenText(ends[i]) == "<end_of_turn>";
    if (!is_turn && !(ends.size() == 2)) continue;
    w.AddU32(key("eot_token_id"), U32(ends[i]));
    break;
  }
  if (unknown) w.AddU32(key("unknown_token_id"), *unknown);
  if (config.pad >= 0) w.AddU32(key("padding_token_id"), U32(config.pad));
  w.AddBool(key("add_bos_token"), true);
  w.AddBool(key("add_eos_token"), false);
  w.AddBool(key("add_space_prefix"), false);
  if (chat_template) w.AddString(Key("tokenizer.chat_template"), *chat_template);
}

void MetadataWriter::CopyRest(const GgufFile& source) {
  for (const auto& [key, value] : source.metadata()) {
    const bool layout = key == "general.alignment" || key.starts_with("split.") ||
                        key.starts_with("quantize.imatrix");
    if (layout || written_.contains(key)) continue;
    writer_.AddRaw(Key(key), *source.GetRaw(key));
  }
}

}  // namespace gemma3n
