// Rotary position embedding, half-split over the whole head.   docs/MODEL.md 5 - HF
// Gemma3nTextRotaryEmbedding
//   out[k] = x[k] cos a - x[k + d/2] sin a     out[k + d/2] = x[k + d/2] cos a + x[k] sin a     a =
//   p * theta^(-2k/d)
#pragma once

#include <span>
#include <vector>

#include "model/stage.h"
#include "model/text/batch.h"

namespace gemma3n {

// theta^(-2k/d) for k < d/2, rounded to float32 as the reference computes it.
std::vector<float> RopeFrequencies(float theta, int64_t head_dim);

// Cosines and sines of one batch's positions.
struct RopeTable {
  View cos, sin;  // [T, d/2]
};

// Angles are float32 products, as in the reference (at position 30,000 an exact angle differs by
// 2e-3 rad).
RopeTable MakeRopeTable(const std::vector<float>& frequencies, std::span<const BatchRow> rows,
                        const StageContext& ctx);

}  // namespace gemma3n
