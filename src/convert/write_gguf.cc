// A checkpoint as one GGUF file that llama.cpp loads: its names, its stacks and paddings, its
// types.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "convert/convert.h"
#include "convert/gguf_metadata.h"
#include "convert/row_stream.h"
#include "convert/source.h"
#include "convert/type_policy.h"
#include "formats/gguf.h"
#include "kernels/dispatch.h"

namespace gemma3n {
namespace {

struct Planned {
  SourceTensor tensor;
  DType dtype;
};

// Collects the tensors in the order of the file, with their types.
class Plan {
 public:
  Plan(const Source& source, GgufType type) : source_(source), type_(type) {}

  std::vector<Planned> tensors;
  std::vector<std::string> notes;

  Status Build() {
    G3N_RETURN_IF_ERROR(AddTables());
    const int64_t layers = source_.config().text.num_layers;
    for (int64_t i = 0; i < layers; ++i) {
      for (const std::string& suffix : Source::LayerSuffixes()) {
        G3N_RETURN_IF_ERROR(AddLayerTensor(i, suffix));
      }
    }
    G3N_RETURN_IF_ERROR(AddGlobal("norm.weight"));
    AddNotes();
    return OkStatus();
  }

 private:
  void Add(SourceTensor tensor, std::string gguf_name, int64_t layer) {
    const TypeChoice choice = ChooseType(type_, gguf_name, tensor.shape.size(), tensor.cols(),
                                         tensor.dtype(), layer, source_.config().text.num_layers);
    if (choice.fell_back) ++fallbacks_[Name(choice.dtype)];
    tensor.name = std::move(gguf_name);
    tensors.push_back({std::move(tensor), choice.dtype});
  }

  Status AddGlobal(const std::string& name) {
    G3N_ASSIGN_OR_RETURN(SourceTensor tensor, source_.Global(name));
    Add(std::move(tensor), GgufTensorName(name).value_or(name), -1);
    return OkStatus();
  }

  // llama.cpp wants as many rows as tokens in the per-layer table. Ids beyond the stored rows use
  // row 0, so the padding repeats it: any reader computes the same.
  Status AddPerLayerTable() {
    const TextConfig& c = source_.config().text;
    G3N_ASSIGN_OR_RETURN(SourceTensor tensor, source_.Global("embed_tokens_per_layer.weight"));
    for (int64_t i = 0; c.vocab_size > c.vocab_size_per_layer && i < c.vocab_size; ++i) {
      tensor.row_of.push_back(i < c.vocab_size_per_layer ? i : 0);
    }
    tensor.shape[0] = c.vocab_size;
    Add(std::move(tensor), "per_layer_token_embd.weight", -1);
    return OkStatus();
  }

  // altup_projections.{0,1,2} as one tensor [3, D, D].
  Status AddStack(const std::string& hub, const std::string& gguf) {
    SourceTensor stack;
    const int64_t count = source_.config().text.altup_num_inputs - 1;
    for (int64_t j = 0; j < count; ++j) {
      G3N_ASSIGN_OR_RETURN(SourceTensor one, source_.Global(fmt::format("{}.{}.weight", hub, j)));
      stack.shape = {count, one.shape[0], one.shape[1]};
      stack.parts.push_back(std::move(one.parts.front()));
    }
    if (count > 0) Add(std::move(stack), gguf, -1);
    return OkStatus();
  }

  Status AddTables() {
    G3N_RETURN_IF_ERROR(AddGlobal("embed_tokens.weight"));
    if (source_.checkpoint().tensors().contains("lm_head.weight")) {
      G3N_RETURN_IF_ERROR(AddGlobal("lm_head.weight"));
    }
    G3N_RETURN_IF_ERROR(AddPerLayerTable());
    G3N_RETURN_IF_ERROR(AddGlobal("per_layer_model_projection.weight"));
    G3N_RETURN_IF_ERROR(AddGlobal("per_layer_projection_norm.weight"));
    G3N_RETURN_IF_ERROR(AddStack("altup_projections", "altup_proj.weight"));
    return AddStack("altup_unembed_projections", "altup_unembd_proj.weight");
  }

  Status AddLayerTensor(int64_t i, const std::string& suffix) {
    const TextConfig& c = source_.config().text;
    const std::string gguf_name = *GgufTensorName(fmt::format("layers.{}.{}", i, suffix));
    const bool is_k_norm = suffix == "self_attn.k_norm.weight";
    const bool is_kv =
        is_k_norm || suffix == "self_attn.k_proj.weight" || suffix == "self_attn.v_proj.weight";
    // llama.cpp refuses a file without these, although layers that share K/V never read them.
    if (is_kv && i >= c.first_kv_shared() && !source_.HasLayer(i, suffix)) {
      SourceTensor zeros;
      zeros.shape = is_k_norm ? std::vector<int64_t>{c.head_dim}
                              : std::vector<int64_t>{c.kv_dim(), c.hidden_size};
      Add(std::move(zeros), gguf_name, i);
      if (is_k_norm) ++zero_filled_layers_;
      return OkStatus();
    }
    G3N_ASSIGN_OR_RETURN(SourceTensor tensor, source_.Layer(i, suffix));
    if (suffix == "altup.correct_output_scale" && !c.altup_correct_scale) {
      tensor.parts.clear();  // llama.cpp always multiplies by it
      tensor.fill = 1;
    }
    Add(std::move(tensor), gguf_name, i);
    return OkStatus();
  }

  void AddNotes() {
    for (const auto& [dtype, count] : fallbacks_) {
      notes.push_back(fmt::format("{} tensor{} {}: their rows do not fill whole blocks", count,
                                  count == 1 ? " is" : "s are", dtype));
    }
    if (zero_filled_layers_ > 0) {
      notes.push_back(fmt::format(
          "the unused key and value projections of {} layers are zeros: the source has none, "
          "llama.cpp wants them",
          zero_filled_layers_));
    }
    const auto& widths = source_.config().text.intermediate_size;
    if (std::any_of(widths.begin(), widths.end(), [&](int64_t w) { return w != widths.front(); })) {
      notes.push_back("the layers' MLP widths differ: llama.cpp loads only files of one width");
    }
    for (const auto& [name, tensor] : source_.checkpoint().tensors()) {
      if (!name.starts_with("vision_tower.") && !name.starts_with("audio_tower.")) continue;
      notes.push_back(
          "vision and audio are left out: a language model's GGUF has no place for them");
      break;
    }
  }

  const Source& source_;
  const GgufType type_;
  std::map<std::string, int64_t> fallbacks_;
  int64_t zero_filled_layers_ = 0;
};

std::string ModelName(const std::string& path) {
  const std::filesystem::path p(path);
  const std::string name =
      p.filename().empty() ? p.parent_path().filename().string() : p.filename().string();
  return name == "." || name == ".." ? "" : name;
}

}  // namespace

Result<ConvertReport> WriteGguf(const Checkpoint& checkpoint, const Tokenizer* tokenizer,
                                const ModelSize& size, GgufType type, const std::string& path,
                                const ConvertOptions& options) {
  if (!checkpoint.is_gguf() && tokenizer == nullptr) {
    return Error(StatusCode::kInvalidArgument, "{}: a GGUF file needs the model's tokenizer", path);
  }
  G3N_ASSIGN_OR_RETURN(const Source source, Source::Create(checkpoint, size));
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  Plan plan(source, type);
  if (const Status status = plan.Build(); !status.ok()) return status;

  GgufWriter writer;
  MetadataWriter metadata(writer);
  if (checkpoint.is_gguf()) {
    const auto name = checkpoint.gguf()->GetString("general.name");
    metadata.Model(source.config(), type, name ? std::string(*name) : "");
    if (tokenizer != nullptr && checkpoint.gguf()->GetStrings("tokenizer.ggml.tokens") == nullptr) {
      metadata.Vocabulary(*tokenizer, source.config(), std::nullopt);
    }
    metadata.CopyRest(*checkpoint.gguf());
  } else {
    G3N_ASSIGN_OR_RETURN(const std::optional<std::string> chat_template, checkpoint.ChatTemplate());
    metadata.Model(source.config(), type, ModelName(checkpoint.path()));
    metadata.Vocabulary(*tokenizer, source.config(), chat_template);
  }

  ConvertReport report;
  uint64_t total = 0;
  for (const Planned& p : plan.tensors) {
    writer.AddTensor({p.tensor.name, p.dtype, p.tensor.shape});
    total += static_cast<uint64_t>(p.tensor.rows()) * RowBytes(p.dtype, p.tensor.cols());
    ++report.dtypes[Name(p.dtype)];
  }
  G3N_RETURN_IF_ERROR(writer.Begin(path));
  RowStream stream(*kernels, options, total);
  for (const Planned& p : plan.tensors) {
    const Status status = stream.Write(p.tensor, p.dtype, [&](const void* data, size_t bytes) {
      return writer.Append(data, bytes);
    });
    if (status.code() == StatusCode::kUnsupported) return status.WithContext(checkpoint.path());
    G3N_RETURN_IF_ERROR(status);
  }
  G3N_RETURN_IF_ERROR(writer.Commit());
  report.bytes = writer.bytes_written();
  report.tensors = static_cast<int64_t>(plan.tensors.size());
  report.files = {path};
  report.notes = std::move(plan.notes);
  return report;
}

}  // namespace gemma3n
