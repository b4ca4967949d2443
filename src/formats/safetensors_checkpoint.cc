// The safetensors files of a hub directory, joined.
#include <algorithm>
#include <filesystem>
#include <set>

#include "formats/json.h"
#include "formats/safetensors.h"

namespace gemma3n {
namespace {

constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

std::vector<std::string> FilesWithSuffix(const std::string& directory, std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.size() > suffix.size() && name.ends_with(suffix)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Shard names must stay inside the directory and not name the index itself.
Status CheckShardName(const std::string& shard, const std::string& tensor,
                      const std::string& index) {
  const bool plain = shard.find('/') == std::string::npos &&
                     shard.find('\\') == std::string::npos && shard.find('\0') == std::string::npos;
  if (plain && shard.size() > std::string_view(".safetensors").size() &&
      shard.ends_with(".safetensors")) {
    return OkStatus();
  }
  return Error(StatusCode::kCorruptFile,
               "{}: tensor {}: \"{}\" is not the name of a .safetensors file in this directory",
               index, tensor, shard);
}

// tensor -> shard, as the index says.
Result<std::map<std::string, std::string>> ReadIndex(const std::string& index) {
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(index, size_t{100} << 20));
  G3N_ASSIGN_OR_RETURN(const nlohmann::json document, ParseJson(text, index));
  const auto map = document.is_object() ? document.find("weight_map") : document.end();
  if (!document.is_object() || map == document.end() || !map->is_object() || map->empty()) {
    return Error(StatusCode::kCorruptFile,
                 "{}: expected an object \"weight_map\" from tensor names to files", index);
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: expected a file name", index, tensor);
    }
    G3N_RETURN_IF_ERROR(CheckShardName(shard.get_ref<const std::string&>(), tensor, index));
    shards.emplace(tensor, shard.get<std::string>());
  }
  return shards;
}

// The one file that holds everything, by its usual name or by being the only one.
Result<std::string> FindSingleFile(const std::string& directory) {
  if (FileExists(directory + "/" + kSingle)) return directory + "/" + kSingle;
  const std::vector<std::string> names = FilesWithSuffix(directory, ".safetensors");
  if (names.size() == 1) return directory + "/" + names.front();
  if (names.empty()) {
    return Error(StatusCode::kNotFound, "{}: no {} and no {} in this directory", directory, kSingle,
                 kIndex);
  }
  return Error(StatusCode::kNotFound,
               "{}: {} .safetensors files, but no {} that says what they hold", directory,
               names.size(), kIndex);
}

}  // namespace

Result<SafetensorsCheckpoint> SafetensorsCheckpoint::Open(const std::string& directory) {
  SafetensorsCheckpoint result;
  const std::string index = directory + "/" + kIndex;
  std::map<std::string, std::string> shard_of;
  std::set<std::string> paths;
  if (!FileExists(directory + "/" + kSingle) && FileExists(index)) {
    G3N_ASSIGN_OR_RETURN(shard_of, ReadIndex(index));
    for (const auto& [tensor, shard] : shard_of) paths.insert(directory + "/" + shard);
  } else {
    G3N_ASSIGN_OR_RETURN(std::string path, FindSingleFile(directory));
    paths.insert(std::move(path));
  }

  std::map<std::string, const std::string*> found_in;
  for (const std::string& path : paths) {
    auto file = SafetensorsFile::Open(path);
    if (!file.ok()) return shard_of.empty() ? file.status() : file.status().WithContext(index);
    result.files_.push_back(std::move(*file));
    for (const auto& [name, tensor] : result.files_.back().tensors()) {
      if (const auto [at, is_new] = found_in.emplace(name, &path); !is_new) {
        return Error(StatusCode::kCorruptFile, "{}: tensor {}: {} holds it too", path, name,
                     *at->second);
      }
      result.tensors_.emplace(name, tensor);
    }
    for (const std::string& name : result.files_.back().skipped()) found_in.emplace(name, &path);
  }
  for (const auto& [tensor, shard] : shard_of) {
    const auto at = found_in.find(tensor);
    if (at == found_in.end() || *at->second != directory + "/" + shard) {
      return Error(StatusCode::kCorruptFile, "{}: tensor {}: {} does not hold it", index, tensor,
                   shard);
    }
  }
  return result;
}

}  // namespace gemma3n
