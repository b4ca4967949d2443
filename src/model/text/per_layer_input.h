// Per-Layer Embeddings (PLE): each layer gets a small vector of its own for every token.
//   u = Eple[id] * sqrt(P)                        a row of the big table, [L, P]
//   c = rms( Wmp h0 * D^-1/2 ; norm )             from the (merged) embeddings, per layer
//   ple = (c + u) / sqrt(2)
// docs/MODEL.md 2 - HF Gemma3nTextModel.get_per_layer_inputs, project_per_layer_inputs
#pragma once

#include <span>
#include <vector>

#include "model/stage.h"
#include "model/text/batch.h"
#include "model/weights.h"

namespace gemma3n {

// Rows of the big table that may stay resident: each makes up to some hundred KiB around it so,
// and a long prompt would pull much of the table in.
inline constexpr int64_t kPerLayerRowsHeld = 64;
void ReleasePerLayerRows(const TextWeights& weights);

// Per-layer inputs of layers[begin, end) (positions in the nested model's list of checkpoint
// layers). h0: [T, D]; out: [T, (end - begin) * P]. Ids at or past the per-layer vocabulary use
// row 0.
Status PerLayerInputs(const TextWeights& weights, std::span<const int> layers, int64_t begin,
                      int64_t end, std::span<const BatchRow> rows, const ConstView& h0,
                      const View& out, const StageContext& ctx);

// The injection at a layer's end:  e = rms( W (gelu(G x) * ple) ; post_norm ).   x: [T, D], ple:
// [T, P], e: [T, D]
Status PerLayerInjection(const PerLayerInputWeights& w, const ConstView& x, const ConstView& ple,
                         const View& e, const StageContext& ctx);

}  // namespace gemma3n
