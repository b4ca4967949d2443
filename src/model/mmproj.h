// llama.cpp's companion file of a language model: the picture tower and the embedders (architecture
// "clip", projector "gemma3nv"). Ours also hold the sound tower, under names that llama.cpp leaves
// alone.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "formats/gguf.h"
#include "model/config.h"

namespace gemma3n {

inline constexpr char kMmprojArchitecture[] = "clip";
inline constexpr char kMmprojProjector[] = "gemma3nv";

// "vision_tower.timm_model.blocks.1.0.pw_exp.bn.weight" -> "v.blk.1.0.pw_exp.bn.weight"; nullopt
// for what is not the towers' or the embedders'. Names stay below ggml's limit of 64 bytes.
std::optional<std::string> MmprojTensorName(const std::string& hub_name);
// The inverse.
std::optional<std::string> HubNameOfMmproj(const std::string& gguf_name);
// Whether llama.cpp wants this vector of C values as [1, C, 1, 1].
bool IsChannelVector(const std::string& hub_name);

// What such a file says of the towers; the rest is as released. Of the text model only the width is
// known. Errors: kUnsupported (another architecture or projector), kCorruptFile (a value of another
// kind or out of range).
Result<ModelConfig> ParseMmprojConfig(const GgufFile& file);
// The same, for writing. outputs: the picture tower's features.
void AddMmprojConfig(const ModelConfig& config, int64_t outputs, GgufWriter& writer);

}  // namespace gemma3n
