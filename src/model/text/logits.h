// Final hidden states to vocabulary scores.                     docs/MODEL.md 8 - HF
// Gemma3nForCausalLM
//   logits = softcap( E h ; 30 )      E: [V, D], tied to the token embedding
#pragma once

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

// hidden: [R, D] after the final norm; logits: [R, V]
Status Logits(const Matrix& lm_head, const ConstView& hidden, const View& logits,
              const StageContext& ctx);

}  // namespace gemma3n
