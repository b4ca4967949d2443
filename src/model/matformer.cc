#include "model/matformer.h"

#include <algorithm>
#include <utility>

namespace gemma3n {
namespace {

constexpr int64_t kE4bLayers = 35, kE4bWidth = 16384, kE2bLayers = 30, kE2bWidth = 8192;
constexpr int kE2bFirstSkipped = 20, kE2bLastSkipped = 24;

Status CheckSkipped(const std::vector<int>& skip, int64_t layers) {
  for (size_t i = 0; i < skip.size(); ++i) {
    if (skip[i] < 0 || skip[i] >= layers) {
      return Error(StatusCode::kInvalidArgument, "layer {} to skip: expected 0 to {}", skip[i],
                   layers - 1);
    }
    if (i > 0 && skip[i] <= skip[i - 1]) {
      return Error(StatusCode::kInvalidArgument,
                   "layers to skip: expected ascending numbers, found {} after {}", skip[i],
                   skip[i - 1]);
    }
  }
  return OkStatus();
}

template <typename T>
std::vector<T> Pick(const std::vector<T>& all, const std::vector<int>& kept) {
  std::vector<T> picked;
  for (int i : kept) picked.push_back(all[i]);
  return picked;
}

// Every layer that shares K/V needs an owner of its kind before it.
Status CheckOwners(const TextConfig& c) {
  const int64_t owners = c.first_kv_shared();
  if (owners < 1)
    return Error(StatusCode::kInvalidArgument, "no layer that owns keys and values would be left");
  for (int64_t i = owners; i < c.num_layers; ++i) {
    const auto end = c.sliding.begin() + owners;
    if (std::find(c.sliding.begin(), end, c.sliding[i]) == end) {
      return Error(StatusCode::kInvalidArgument,
                   "no {}-attention layer that owns keys and values would be left for the layers "
                   "that share them",
                   c.sliding[i] ? "sliding" : "full");
    }
  }
  return OkStatus();
}

bool AllWidths(const TextConfig& c, int64_t width) {
  return std::all_of(c.intermediate_size.begin(), c.intermediate_size.end(),
                     [&](int64_t w) { return w == width; });
}

}  // namespace

std::vector<int> KeptLayers(int64_t num_layers, const ModelSize& size) {
  std::vector<int> kept;
  for (int i = 0; i < num_layers; ++i) {
    if (std::find(size.skip_layers.begin(), size.skip_layers.end(), i) == size.skip_layers.end())
      kept.push_back(i);
  }
  return kept;
}

Result<ModelConfig> SlicedConfig(const ModelConfig& config, const ModelSize& size) {
  if (size.full()) return config;
  const TextConfig& whole = config.text;
  G3N_RETURN_IF_ERROR(CheckSkipped(size.skip_layers, whole.num_layers));
  const std::vector<int> kept = KeptLayers(whole.num_layers, size);
  const size_t widths = size.mlp_widths.size();
  if (widths > 1 && widths != kept.size()) {
    return Error(StatusCode::kInvalidArgument,
                 "MLP widths: expected one, or one for each of {} layers, found {}", kept.size(),
                 widths);
  }
  ModelConfig sliced = config;
  TextConfig& c = sliced.text;
  c.num_layers = static_cast<int64_t>(kept.size());
  c.num_kv_shared_layers =
      std::count_if(kept.begin(), kept.end(), [&](int i) { return i >= whole.first_kv_shared(); });
  c.intermediate_size = Pick(whole.intermediate_size, kept);
  c.sliding = Pick(whole.sliding, kept);
  c.sparsity_z = Pick(whole.sparsity_z, kept);
  for (size_t i = 0; widths > 0 && i < kept.size(); ++i) {
    const int64_t width = size.mlp_widths[widths == 1 ? 0 : i];
    if (width < 1 || width > c.intermediate_size[i]) {
      return Error(StatusCode::kInvalidArgument,
                   "MLP width of layer {}: expected 1 to {}, found {}", kept[i],
                   c.intermediate_size[i], width);
    }
    c.intermediate_size[i] = width;
  }
  G3N_RETURN_IF_ERROR(CheckOwners(c));
  return sliced;
}

Status CheckModelSize(const Checkpoint& checkpoint, const ModelSize& size) {
  G3N_ASSIGN_OR_RETURN(const ModelConfig sliced, SlicedConfig(checkpoint.config(), size));
  const std::vector<int> kept = KeptLayers(checkpoint.config().text.num_layers, size);
  for (size_t i = 0; i < kept.size(); ++i) {
    const std::string name = "layers." + std::to_string(kept[i]) + ".mlp.down_proj.weight";
    const auto down = checkpoint.tensors().find(name);
    if (down == checkpoint.tensors().end()) continue;  // binding the weights says so
    const DTypeTraits& traits = Traits(down->second.dtype);
    if (sliced.text.intermediate_size[i] % traits.block_elements != 0) {
      return Error(StatusCode::kInvalidArgument,
                   "MLP width of layer {}: {} is stored in blocks of {} ({}), so expected a "
                   "multiple of it, found {}",
                   kept[i], name, traits.block_elements, traits.name,
                   sliced.text.intermediate_size[i]);
    }
  }
  return OkStatus();
}

Result<ModelSize> NamedModelSize(const TextConfig& loaded, std::string_view name) {
  const bool e4b = loaded.num_layers == kE4bLayers && AllWidths(loaded, kE4bWidth);
  const bool e2b = loaded.num_layers == kE2bLayers && AllWidths(loaded, kE2bWidth);
  if ((name == "e4b" && e4b) || (name == "e2b" && e2b)) return ModelSize{};
  if (name != "e4b" && name != "e2b" && name != "e2.54b" && name != "e1.96b") {
    return Error(StatusCode::kInvalidArgument, "size \"{}\": expected e4b, e2.54b, e2b or e1.96b",
                 name);
  }
  if (!e4b) {
    return Error(StatusCode::kInvalidArgument,
                 "size {}: expected a checkpoint of E4B's shape ({} layers of MLP width {}), found "
                 "{} layers of width "
                 "{} and on",
                 name, kE4bLayers, kE4bWidth, loaded.num_layers, loaded.intermediate_size.front());
  }
  ModelSize size;
  const bool wide_fourth = name != "e2b";  // both in-between sizes keep layer 4 at full width
  for (int i = 0; i < kE4bLayers; ++i) {
    const bool skippable = i >= kE2bFirstSkipped && i <= kE2bLastSkipped;
    if (skippable && name != "e2.54b") {
      size.skip_layers.push_back(i);
      continue;
    }
    size.mlp_widths.push_back(skippable || (wide_fourth && i == 4) ? kE4bWidth : kE2bWidth);
  }
  return size;
}

}  // namespace gemma3n
