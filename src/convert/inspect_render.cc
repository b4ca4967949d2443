// An inspection as text for people and as JSON for programs.
#include <algorithm>

#include "convert/inspect.h"
#include "formats/json.h"

namespace gemma3n {
namespace {

using nlohmann::json;

std::string Size(uint64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (b >= 1e9) return fmt::format("{:.2f} GB", b / 1e9);
  if (b >= 1e6) return fmt::format("{:.1f} MB", b / 1e6);
  if (b >= 1e3) return fmt::format("{:.1f} kB", b / 1e3);
  return fmt::format("{} bytes", bytes);
}

std::string Number(int64_t n) {
  const auto v = static_cast<double>(n);
  if (v >= 1e9) return fmt::format("{:.2f} B", v / 1e9);
  if (v >= 1e6) return fmt::format("{:.1f} M", v / 1e6);
  return fmt::format("{}", n);
}

// Equal neighbours as one: "16384 x 35", "8192 x 4, 16384 x 1".
std::string Runs(const std::vector<int64_t>& values) {
  std::string text;
  for (size_t i = 0; i < values.size();) {
    size_t end = i;
    while (end < values.size() && values[end] == values[i]) ++end;
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", values[i], end - i);
    i = end;
  }
  return text;
}

class Lines {
 public:
  void Add(std::string_view label, const std::string& value) {
    if (!value.empty()) text_ += fmt::format("{:<20}{}\n", label, value);
  }
  void Gap() { text_ += "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string Tower(const Inspection::Amount& a) {
  return a.tensors == 0 ? "none" : fmt::format("{} tensors, {}", a.tensors, Size(a.bytes));
}

void AddModel(Lines& out, const Inspection& i) {
  const TextConfig& c = i.config.text;
  const auto sliding = std::count(c.sliding.begin(), c.sliding.end(), true);
  out.Add("layers",
          fmt::format("{} ({} sliding, {} full attention; the last {} share keys and values)",
                      c.num_layers, sliding, c.num_layers - sliding, c.num_kv_shared_layers));
  out.Add("hidden size", fmt::format("{}", c.hidden_size));
  out.Add("MLP width", Runs(c.intermediate_size));
  out.Add("sparse layers", fmt::format("{}", std::count_if(c.sparsity_z.begin(), c.sparsity_z.end(),
                                                           [](float z) { return z != 0; })));
  out.Add("attention", fmt::format("{} heads, {} key/value heads, {} wide; window {}", c.num_heads,
                                   c.num_kv_heads, c.head_dim, c.sliding_window));
  out.Add("context", fmt::format("{} tokens", c.max_position));
  out.Add("vocabulary", fmt::format("{} ({} with per-layer embeddings of {})", c.vocab_size,
                                    c.vocab_size_per_layer, c.per_layer_dim));
}

json AmountJson(const Inspection::Amount& a) {
  return {{"tensors", a.tensors}, {"elements", a.elements}, {"bytes", a.bytes}};
}

}  // namespace

std::string InspectionText(const Inspection& i) {
  Lines out;
  out.Add("path", i.path);
  out.Add("format", fmt::format("{}, {}", i.format, i.architecture));
  out.Add("name", i.name);
  out.Add("size on disk", Size(i.file_bytes));
  out.Gap();
  AddModel(out, i);
  out.Gap();
  for (const auto& [dtype, a] : i.dtypes) {
    out.Add(dtype,
            fmt::format("{} tensors, {} values, {}", a.tensors, Number(a.elements), Size(a.bytes)));
  }
  out.Add("vision", Tower(i.vision));
  out.Add("audio", Tower(i.audio));
  if (i.unused.tensors > 0) out.Add("unused K/V", Tower(i.unused));
  if (i.other.tensors > 0) out.Add("not known", Tower(i.other));
  for (const std::string& name : i.unknown) out.Add("not readable", name);
  out.Add("missing", i.missing);
  out.Add("tokenizer", i.tokenizer_pieces            ? fmt::format("{} pieces", *i.tokenizer_pieces)
                       : i.tokenizer_problem.empty() ? "none"
                                                     : i.tokenizer_problem);
  out.Add("chat template",
          i.chat_template == "none" ? "none (the built-in one is used)" : i.chat_template);
  out.Gap();
  out.Add("resident weights", Size(i.resident_weights));
  out.Add("mapped, by rows", Size(i.mapped_only) + " (per-layer embeddings: a row for each token)");
  out.Add("key/value cache",
          fmt::format("{} a token beyond the window; {} at 4096, {} at {}",
                      Size(i.kv_bytes_per_token), Size(i.KvBytes(4096)),
                      Size(i.KvBytes(i.config.text.max_position)), i.config.text.max_position));
  return out.text();
}

std::string InspectionJson(const Inspection& i) {
  const TextConfig& c = i.config.text;
  json dtypes = json::object();
  for (const auto& [dtype, a] : i.dtypes) dtypes[dtype] = AmountJson(a);
  json types = json::array();
  for (bool sliding : c.sliding) types.push_back(sliding ? "sliding_attention" : "full_attention");
  json document = {
      {"path", i.path},
      {"format", i.format},
      {"architecture", i.architecture},
      {"name", i.name},
      {"file_bytes", i.file_bytes},
      {"layers", c.num_layers},
      {"layer_types", types},
      {"kv_shared_layers", c.num_kv_shared_layers},
      {"hidden_size", c.hidden_size},
      {"mlp_widths", c.intermediate_size},
      {"sparsity_multipliers", c.sparsity_z},
      {"heads", c.num_heads},
      {"kv_heads", c.num_kv_heads},
      {"head_dim", c.head_dim},
      {"sliding_window", c.sliding_window},
      {"context", c.max_position},
      {"vocab_size", c.vocab_size},
      {"vocab_size_per_layer", c.vocab_size_per_layer},
      {"per_layer_dim", c.per_layer_dim},
      {"end_tokens", i.config.end_tokens},
      {"dtypes", dtypes},
      {"text", AmountJson(i.text)},
      {"per_layer_table", AmountJson(i.per_layer_table)},
      {"vision", AmountJson(i.vision)},
      {"audio", AmountJson(i.audio)},
      {"unused_kv", AmountJson(i.unused)},
      {"not_known", AmountJson(i.other)},
      {"not_readable", i.unknown},
      {"missing", i.missing.empty() ? json() : json(i.missing)},
      {"tokenizer_pieces", i.tokenizer_pieces ? json(*i.tokenizer_pieces) : json()},
      {"tokenizer_problem", i.tokenizer_problem},
      {"chat_template", i.chat_template},
      {"memory",
       {{"resident_weights", i.resident_weights},
        {"mapped_only", i.mapped_only},
        {"kv_bytes_per_token", i.kv_bytes_per_token},
        {"kv_bytes_at_4096", i.KvBytes(4096)},
        {"kv_bytes_at_full_context", i.KvBytes(c.max_position)}}},
  };
  return DumpJson(document, 2) + "\n";
}

}  // namespace gemma3n
