// What the stages of the sound tower share.
#pragma once

#include <cstdint>
#include <span>

#include "model/stage.h"

namespace gemma3n {

// Rows of several clips lie one after the other; what looks back in time must not look into another
// clip.
struct AudioContext : StageContextOf<AudioConfig> {
  std::span<const int64_t> clip_begin;  // of each row: the first row of its clip
};

// Every norm that HF builds without an epsilon of its own; the others take
// AudioConfig::rms_norm_eps.
inline constexpr float kConformerNormEps = 1e-6f;

}  // namespace gemma3n
