// One decoder layer on the AltUp streams.                           docs/MODEL.md 7 - HF
// Gemma3nTextDecoderLayer
//
//   X --predict--> pred --pred_0--> n = rms(s) --+--> attention --post norm--> + s --+
//   |                                            +--> LAuReL ------------------------+--> / sqrt(2)
//   = x | | |                    act = x + post norm( MLP( pre norm x ) )
//   <------------------------------+
//   +--correct(act)--> cor: X_0 = cor_0;  X_a = cor_a + per-layer injection(cor_0 * scale)  for a >
//   0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/stage.h"
#include "model/text/batch.h"
#include "model/text/kv_cache.h"
#include "model/text/rope.h"
#include "model/weights.h"

namespace gemma3n {

// A layer of the (nested) model: its weights, and what the config says of it.
struct DecoderLayer {
  const LayerWeights* weights = nullptr;
  int64_t kv_layer = 0;  // owning layer whose cache it reads
  bool owns_kv = false;
  int64_t mlp_width = 0;
  float sparsity_z = 0;  // 0: dense
};

// First half: predict, norm, and the layer's own keys and values.
//   streams, predicted: [A * T, D]; n: [T, D], the normed active prediction
Status DecoderLayerOpen(const DecoderLayer& layer, const ConstView& streams,
                        std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                        const RopeTable& rope, const View& predicted, const View& n,
                        const StageContext& ctx);

// Second half, for rows whose output someone reads. predicted becomes the layer's output streams in
// place.
//   predicted: [A * T, D]; n: [T, D]; ple: [T, P]
Status DecoderLayerClose(const DecoderLayer& layer, const ConstView& n, const ConstView& ple,
                         std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                         const RopeTable& rope, const View& predicted, const StageContext& ctx);

}  // namespace gemma3n
