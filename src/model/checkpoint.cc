// Opening a checkpoint: which format it is, and its tensors under one set of names.
#include "model/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "model/mmproj.h"

namespace gemma3n {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

// llama.cpp stacks the AltUp matrices into one tensor [inputs - 1, D, D].
struct Stack {
  const char* gguf;
  const char* hub;
};
constexpr Stack kStacks[] = {{"altup_proj.weight", "altup_projections"},
                             {"altup_unembd_proj.weight", "altup_unembed_projections"}};

std::string StackedName(const Stack& stack, int64_t j) {
  return fmt::format("{}.{}.weight", stack.hub, j);
}

// The matrices of a stack, each over its part of the bytes.
Status SplitStack(const Stack& stack, const GgufFile& file, int64_t count,
                  std::map<std::string, StoredTensor>* tensors) {
  const auto found = file.tensors().find(stack.gguf);
  if (found == file.tensors().end()) return OkStatus();  // missed when it is needed
  const StoredTensor& whole = found->second;
  if (count == 1 && whole.shape.size() == 2) {  // writers drop an outermost dimension of 1
    tensors->emplace(StackedName(stack, 0), whole);
    return OkStatus();
  }
  if (whole.shape.size() != 3 || whole.shape[0] != count) {
    return Error(StatusCode::kCorruptFile,
                 "{}: tensor {}: expected a stack of {} matrices, found shape {}", file.path(),
                 stack.gguf, count, ShapeString(whole.shape));
  }
  const size_t bytes = whole.bytes / static_cast<size_t>(count);
  for (int64_t j = 0; j < count; ++j) {
    tensors->emplace(
        StackedName(stack, j),
        StoredTensor{whole.dtype, {whole.shape[1], whole.shape[2]}, whole.data + bytes * j, bytes});
  }
  return OkStatus();
}

bool IsStack(const std::string& name) {
  return std::any_of(std::begin(kStacks), std::end(kStacks),
                     [&](const Stack& s) { return name == s.gguf; });
}

// The one .gguf of a directory without config.json; projectors ("mmproj...") go beside a model and
// are not one.
Result<std::string> FindGguf(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".gguf") && !name.starts_with("mmproj")) found.push_back(name);
  }
  if (error) return Error(StatusCode::kIo, "{}: cannot list it ({})", directory, error.message());
  if (found.size() == 1) return directory + "/" + found.front();
  if (found.empty()) {
    return Error(StatusCode::kNotFound, "{}: no config.json and no .gguf file in this directory",
                 directory);
  }
  std::sort(found.begin(), found.end());
  return Error(StatusCode::kInvalidArgument,
               "{}: {} .gguf files and no config.json in this directory; name one, e.g. {}",
               directory, found.size(), found.front());
}

}  // namespace

Status Checkpoint::OpenHub(const std::string& directory) {
  const std::string config_path = directory + "/config.json";
  G3N_ASSIGN_OR_RETURN(const std::string config, ReadFile(config_path, kMaxConfigBytes));
  std::string generation;
  if (FileExists(directory + "/generation_config.json")) {
    G3N_ASSIGN_OR_RETURN(generation,
                         ReadFile(directory + "/generation_config.json", kMaxConfigBytes));
  }
  G3N_ASSIGN_OR_RETURN(config_, ParseHubConfig(config, generation, config_path));
  for (const char* name : {"processor_config.json", "preprocessor_config.json"}) {
    const std::string path = directory + "/" + name;
    if (!config_.multimodal || !FileExists(path)) continue;
    G3N_ASSIGN_OR_RETURN(const std::string processor, ReadFile(path, kMaxConfigBytes));
    G3N_RETURN_IF_ERROR(ReadPreprocessorConfig(processor, path, &config_));
  }
  G3N_ASSIGN_OR_RETURN(SafetensorsCheckpoint files, SafetensorsCheckpoint::Open(directory));
  hub_ = std::make_unique<SafetensorsCheckpoint>(std::move(files));
  for (const auto& [name, tensor] : hub_->tensors()) {
    if (!tensors_.emplace(StripHubPrefix(name), tensor).second) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: there twice, under two prefixes",
                   directory, StripHubPrefix(name));
    }
  }
  return OkStatus();
}

Status Checkpoint::OpenGguf(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(GgufFile file, GgufFile::Open(path));
  gguf_ = std::make_unique<GgufFile>(std::move(file));
  G3N_ASSIGN_OR_RETURN(config_, ParseGgufConfig(*gguf_));
  const int64_t stacked = config_.text.altup_num_inputs - 1;
  for (const auto& [name, tensor] : gguf_->tensors()) {
    if (!IsStack(name)) tensors_.emplace(HubTensorName(name).value_or(name), tensor);
  }
  for (const Stack& stack : kStacks) {
    G3N_RETURN_IF_ERROR(SplitStack(stack, *gguf_, stacked, &tensors_));
    const auto unknown = gguf_->unknown_types().find(stack.gguf);
    for (int64_t j = 0; unknown != gguf_->unknown_types().end() && j < stacked; ++j) {
      unknown_types_.emplace(StackedName(stack, j), unknown->second);
    }
  }
  for (const auto& [name, type] : gguf_->unknown_types()) {
    unknown_types_.emplace(HubTensorName(name).value_or(name), type);
  }
  return OkStatus();
}

Result<Checkpoint> Checkpoint::Open(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  if (!FileExists(path)) return Error(StatusCode::kNotFound, "{}: no such file or directory", path);
  if (!IsDirectory(path)) {
    if (path.ends_with(".safetensors")) {
      return Error(StatusCode::kInvalidArgument,
                   "{}: expected the directory that holds it and its config.json, or a .gguf file",
                   path);
    }
    G3N_RETURN_IF_ERROR(checkpoint.OpenGguf(path));
  } else if (FileExists(path + "/config.json")) {
    G3N_RETURN_IF_ERROR(checkpoint.OpenHub(path));
  } else {
    G3N_ASSIGN_OR_RETURN(const std::string file, FindGguf(path));
    checkpoint.path_ = file;
    G3N_RETURN_IF_ERROR(checkpoint.OpenGguf(file));
  }
  return checkpoint;
}

Result<Checkpoint> Checkpoint::OpenMmproj(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  checkpoint.mmproj_ = true;
  G3N_ASSIGN_OR_RETURN(GgufFile file, GgufFile::Open(path));
  checkpoint.gguf_ = std::make_unique<GgufFile>(std::move(file));
  G3N_ASSIGN_OR_RETURN(checkpoint.config_, ParseMmprojConfig(*checkpoint.gguf_));
  for (const auto& [own_name, stored] : checkpoint.gguf_->tensors()) {
    const std::string name = HubNameOfMmproj(own_name).value_or(own_name);
    StoredTensor tensor = stored;
    if (IsChannelVector(name)) tensor.shape = {tensor.elements()};
    checkpoint.tensors_.emplace(name, std::move(tensor));
  }
  for (const auto& [own_name, type] : checkpoint.gguf_->unknown_types()) {
    checkpoint.unknown_types_.emplace(HubNameOfMmproj(own_name).value_or(own_name), type);
  }
  return checkpoint;
}

std::optional<std::string> Checkpoint::OwnName(const std::string& hub_name) const {
  return mmproj_ ? MmprojTensorName(hub_name) : GgufTensorName(hub_name);
}

std::vector<std::string> Checkpoint::skipped() const {
  std::vector<std::string> names;
  for (size_t i = 0; hub_ != nullptr && i < hub_->files().size(); ++i) {
    const auto& skipped = hub_->files()[i].skipped();
    names.insert(names.end(), skipped.begin(), skipped.end());
  }
  return names;
}

uint64_t Checkpoint::file_bytes() const {
  if (gguf_ != nullptr) return gguf_->file_bytes();
  uint64_t bytes = 0;
  for (const SafetensorsFile& file : hub_->files()) bytes += file.file_bytes();
  return bytes;
}

std::string Checkpoint::Where(const std::string& name) const {
  if (gguf_ != nullptr) {
    const auto own_name = OwnName(name);
    return fmt::format("{}: tensor {}", path_, own_name ? *own_name : name);
  }
  for (const SafetensorsFile& file : hub_->files()) {
    for (const auto& [own_name, tensor] : file.tensors()) {
      if (StripHubPrefix(own_name) == name) {
        return fmt::format("{}: tensor {}", file.path(), own_name);
      }
    }
  }
  return fmt::format("{}: tensor {}", path_, name);
}

Result<StoredTensor> Checkpoint::Require(const std::string& name,
                                         const std::vector<int64_t>& shape) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    const auto unknown = unknown_types_.find(name);
    if (unknown != unknown_types_.end()) {
      return Error(StatusCode::kUnsupported, "{}: ggml type {} is not handled", Where(name),
                   unknown->second);
    }
    if (hub_ != nullptr) {
      for (const SafetensorsFile& file : hub_->files()) {
        for (const std::string& skipped : file.skipped()) {
          if (StripHubPrefix(skipped) != name) continue;
          return Error(StatusCode::kUnsupported,
                       "{}: tensor {}: stored in a dtype that is not handled; expected F32, F16 or "
                       "BF16",
                       file.path(), skipped);
        }
      }
    }
    return Error(StatusCode::kNotFound, "{}: not in the checkpoint, expected shape {}", Where(name),
                 ShapeString(shape));
  }
  if (found->second.shape != shape) {
    return Error(StatusCode::kCorruptFile, "{}: expected shape {}, found {}", Where(name),
                 ShapeString(shape), ShapeString(found->second.shape));
  }
  return found->second;
}

}  // namespace gemma3n
