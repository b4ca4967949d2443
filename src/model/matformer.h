// MatFormer: smaller models nested in a loaded one. A narrower MLP is a prefix of the wide one; a
// shallower model leaves layers out, with their per-layer embeddings. arXiv:2310.07707;
// google/gemma3n-slicing-configs
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "gemma3n/options.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace gemma3n {

// The nested model's config: widths replaced, skipped layers gone, shared layers counted anew.
// Errors: kInvalidArgument when a width is not in 1..stored, their number fits no layer count, a
// layer to skip does not exist or is named twice, or a remaining layer would have no owner of K/V
// of its kind.
Result<ModelConfig> SlicedConfig(const ModelConfig& config, const ModelSize& size);

// The kept layers' indices in the loaded model, ascending.
std::vector<int> KeptLayers(int64_t num_layers, const ModelSize& size);

// Whether the stored weights nest the size: a width must be a whole number of the down projection's
// blocks. Errors: kInvalidArgument naming the layer, its dtype and the multiple expected; and
// everything SlicedConfig refuses.
Status CheckModelSize(const Checkpoint& checkpoint, const ModelSize& size);

// The published sizes of Gemma 3n by name: "e4b", "e2b", "e2.54b", "e1.96b". Errors:
// kInvalidArgument for other names, and for a loaded model that does not nest the size.
Result<ModelSize> NamedModelSize(const TextConfig& loaded, std::string_view name);

}  // namespace gemma3n
