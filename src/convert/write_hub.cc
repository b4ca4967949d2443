// A checkpoint, usually cut to a nested size, as a hub directory that transformers loads.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "convert/convert.h"
#include "convert/hub_tokenizer.h"
#include "convert/row_stream.h"
#include "convert/source.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "kernels/dispatch.h"

namespace gemma3n {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kShardBytes = 5'000'000'000;
constexpr size_t kMaxSmallFile = size_t{256} << 20;

// Beside the weights and config.json, written by us.
constexpr const char* kCopiedFiles[] = {"tokenizer.json",           "tokenizer.model",
                                        "tokenizer_config.json",    "special_tokens_map.json",
                                        "added_tokens.json",        "chat_template.jinja",
                                        "chat_template.json",       "generation_config.json",
                                        "preprocessor_config.json", "processor_config.json"};

struct Planned {
  SourceTensor tensor;
  DType dtype;
  uint64_t bytes() const {
    return static_cast<uint64_t>(tensor.rows()) * RowBytes(dtype, tensor.cols());
  }
};

// Plain dtypes stay; quantised values are exact in float32.
DType PlainDType(DType stored) { return Traits(stored).block_elements == 1 ? stored : DType::kF32; }

Result<std::vector<Planned>> PlanTensors(const Source& source) {
  std::vector<Planned> plan;
  const ModelConfig& config = source.config();
  const std::string prefix = config.multimodal ? "model.language_model." : "model.";
  const auto add = [&](SourceTensor tensor, const std::string& name) {
    tensor.name = name;
    const DType dtype = PlainDType(tensor.dtype());
    plan.push_back({std::move(tensor), dtype});
  };
  for (const std::string& name : source.GlobalNames()) {
    G3N_ASSIGN_OR_RETURN(SourceTensor tensor, source.Global(name));
    add(std::move(tensor), name == "lm_head.weight" ? name : prefix + name);
  }
  for (int64_t i = 0; i < config.text.num_layers; ++i) {
    for (const std::string& suffix : Source::LayerSuffixes()) {
      const bool is_kv = suffix.starts_with("self_attn.k_") || suffix.starts_with("self_attn.v_");
      if (is_kv && i >= config.text.first_kv_shared() && !source.HasLayer(i, suffix)) continue;
      G3N_ASSIGN_OR_RETURN(SourceTensor tensor, source.Layer(i, suffix));
      const std::string name = prefix + tensor.name;
      add(std::move(tensor), name);
    }
  }
  for (const auto& [name, stored] :
       source.checkpoint().tensors()) {  // towers and embedders, as they are
    if (!config.multimodal ||
        !(name.starts_with("vision_tower.") || name.starts_with("audio_tower.") ||
          name.starts_with("embed_vision.") || name.starts_with("embed_audio."))) {
      continue;
    }
    SourceTensor tensor;
    tensor.shape = stored.shape.empty() ? std::vector<int64_t>{1} : stored.shape;
    tensor.parts = {stored};
    tensor.parts.front().shape = tensor.shape;
    add(std::move(tensor), "model." + name);
  }
  // Larger elements first, so that each tensor is aligned.
  std::stable_sort(plan.begin(), plan.end(), [](const Planned& a, const Planned& b) {
    return Traits(a.dtype).block_bytes > Traits(b.dtype).block_bytes;
  });
  return plan;
}

// Indices [begin, end) of the tensors of each shard.
std::vector<std::pair<size_t, size_t>> Shards(const std::vector<Planned>& plan, uint64_t limit) {
  std::vector<std::pair<size_t, size_t>> shards;
  uint64_t bytes = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    if (shards.empty() || (bytes > 0 && bytes + plan[i].bytes() > limit)) {
      shards.emplace_back(i, i);
      bytes = 0;
    }
    bytes += plan[i].bytes();
    shards.back().second = i + 1;
  }
  return shards;
}

// The directory being written: what was made in it is taken away again unless Keep() is called.
class NewDirectory {
 public:
  static Result<NewDirectory> Create(const std::string& path) {
    std::error_code error;
    NewDirectory directory;
    directory.path_ = path;
    if (fs::exists(path, error)) {
      if (!fs::is_directory(path, error)) {
        return Error(StatusCode::kInvalidArgument, "{}: a file, expected a new directory", path);
      }
      if (!fs::is_empty(path, error)) {
        return Error(StatusCode::kInvalidArgument, "{}: not empty, expected a new directory", path);
      }
    } else {
      fs::create_directories(path, error);
      if (error) return Error(StatusCode::kIo, "{}: cannot create it ({})", path, error.message());
      directory.made_ = true;
    }
    directory.armed_ = true;
    return directory;
  }
  NewDirectory(NewDirectory&& other) noexcept { *this = std::move(other); }
  NewDirectory& operator=(NewDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(files_, other.files_);
    std::swap(made_, other.made_);
    std::swap(armed_, other.armed_);
    return *this;
  }
  ~NewDirectory() {
    if (!armed_) return;
    std::error_code ignored;
    for (const std::string& file : files_) fs::remove(file, ignored);
    if (made_) fs::remove(path_, ignored);
  }

  // A file's path, remembered.
  std::string Add(const std::string& name) {
    files_.push_back(path_ + "/" + name);
    return files_.back();
  }
  void Keep() { armed_ = false; }
  const std::vector<std::string>& files() const { return files_; }

 private:
  NewDirectory() = default;
  std::string path_;
  std::vector<std::string> files_;
  bool made_ = false, armed_ = false;
};

Status WriteSmallFile(const std::string& path, std::string_view text) {
  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  G3N_RETURN_IF_ERROR(file.Write(text));
  return file.Commit();
}

// The source's config.json with the fields that a nested size changes; everything else stays, known
// or not.
Result<std::string> ConfigText(const Source& source) {
  const std::string fresh = HubConfigJson(source.config());
  if (source.checkpoint().is_gguf()) return fresh;
  const std::string path = source.checkpoint().path() + "/config.json";
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxSmallFile));
  G3N_ASSIGN_OR_RETURN(json document, ParseJson(text, path));
  G3N_ASSIGN_OR_RETURN(const json sliced, ParseJson(fresh, path));
  const bool nested = source.config().multimodal;
  json& to = nested ? document["text_config"] : document;
  const json& from = nested ? sliced["text_config"] : sliced;
  if (!to.is_object()) to = json::object();
  for (const char* key : {"num_hidden_layers", "intermediate_size", "layer_types",
                          "activation_sparsity_pattern", "num_kv_shared_layers"}) {
    to[key] = from[key];
  }
  return DumpJson(document, 2) + "\n";
}

Status WriteShard(const std::string& path, const std::vector<Planned>& plan,
                  std::pair<size_t, size_t> range, RowStream& stream, ConvertReport* report) {
  std::vector<SafetensorsWriter::Entry> entries;
  for (size_t i = range.first; i < range.second; ++i) {
    entries.push_back({plan[i].tensor.name, plan[i].dtype, plan[i].tensor.shape});
  }
  G3N_ASSIGN_OR_RETURN(SafetensorsWriter writer,
                       SafetensorsWriter::Create(path, std::move(entries)));
  for (size_t i = range.first; i < range.second; ++i) {
    const auto append = [&](const void* data, size_t n) { return writer.Append(data, n); };
    G3N_RETURN_IF_ERROR(stream.Write(plan[i].tensor, plan[i].dtype, append));
    ++report->dtypes[Name(plan[i].dtype)];
    ++report->tensors;
  }
  G3N_RETURN_IF_ERROR(writer.Commit());
  report->bytes += writer.bytes_written();
  return OkStatus();
}

Status WriteWeights(const Source& source, const ConvertOptions& options, NewDirectory& directory,
                    ConvertReport* report) {
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  G3N_ASSIGN_OR_RETURN(const std::vector<Planned> plan, PlanTensors(source));
  uint64_t total = 0;
  for (const Planned& p : plan) total += p.bytes();
  RowStream stream(*kernels, options, total);
  const auto shards = Shards(plan, options.shard_bytes > 0 ? options.shard_bytes : kShardBytes);
  json weight_map = json::object();
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string name =
        shards.size() == 1 ? "model.safetensors"
                           : fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, shards.size());
    for (size_t i = shards[s].first; i < shards[s].second; ++i)
      weight_map[plan[i].tensor.name] = name;
    const Status status = WriteShard(directory.Add(name), plan, shards[s], stream, report);
    if (status.code() == StatusCode::kUnsupported) {
      return status.WithContext(source.checkpoint().path());
    }
    G3N_RETURN_IF_ERROR(status);
  }
  if (shards.size() == 1) return OkStatus();
  const json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(weight_map)}};
  return WriteSmallFile(directory.Add("model.safetensors.index.json"), DumpJson(index, 2) + "\n");
}

Status CopySmallFiles(const Source& source, NewDirectory& directory, ConvertReport* report) {
  const Checkpoint& checkpoint = source.checkpoint();
  if (checkpoint.is_gguf()) {
    const GgufFile& file = *checkpoint.gguf();
    if (const auto model = SentencePieceModel(file)) {
      G3N_RETURN_IF_ERROR(WriteSmallFile(directory.Add("tokenizer.model"), *model));
      G3N_RETURN_IF_ERROR(
          WriteSmallFile(directory.Add("tokenizer_config.json"), TokenizerConfigJson(file)));
    } else {
      report->notes.push_back("no tokenizer is written: the GGUF file holds none");
    }
    return WriteSmallFile(directory.Add("generation_config.json"),
                          GenerationConfigJson(source.config()));
  }
  for (const char* name : kCopiedFiles) {
    const std::string from = checkpoint.path() + "/" + name;
    if (!FileExists(from)) continue;
    G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(from, kMaxSmallFile));
    G3N_RETURN_IF_ERROR(WriteSmallFile(directory.Add(name), text));
  }
  return OkStatus();
}

}  // namespace

Result<ConvertReport> WriteHub(const Checkpoint& checkpoint, const ModelSize& size,
                               const std::string& path, const ConvertOptions& options) {
  G3N_ASSIGN_OR_RETURN(const Source source, Source::Create(checkpoint, size));
  G3N_ASSIGN_OR_RETURN(const std::string config, ConfigText(source));
  G3N_ASSIGN_OR_RETURN(NewDirectory directory, NewDirectory::Create(path));
  ConvertReport report;
  G3N_RETURN_IF_ERROR(WriteWeights(source, options, directory, &report));
  G3N_RETURN_IF_ERROR(CopySmallFiles(source, directory, &report));
  // Last: without it the directory is no checkpoint, so a kill leaves nothing that looks like one.
  G3N_RETURN_IF_ERROR(WriteSmallFile(directory.Add("config.json"), config));
  report.files = directory.files();
  directory.Keep();
  return report;
}

}  // namespace gemma3n
