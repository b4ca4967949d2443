// Rows of the decoder's input that come from the multimodal vocabularies instead of embed_tokens.
//   hard(r) = rms( W rms(E[r]; hard_norm) )     E: [128, Dm]  W: [D, Dm]           HF
//   Gemma3nMultimodalEmbedder
#pragma once

#include <vector>

#include "base/result.h"
#include "kernels/ops.h"
#include "model/checkpoint.h"
#include "tensor/matrix.h"

namespace gemma3n {

// Hard embeddings (delimiters and placeholders) of one modality, computed once at load.
struct HardEmbeddings {
  int64_t first_id = 0;     // vocab_offset
  int64_t count = 0;        // 0: the checkpoint has none
  std::vector<float> rows;  // [count, D], no sqrt(D) factor

  // The row of a token, or null when it belongs to another vocabulary.
  const float* Find(int32_t token, int64_t hidden) const {
    const int64_t r = token - first_id;
    return r >= 0 && r < count ? rows.data() + r * hidden : nullptr;
  }
};

// prefix: "embed_vision." or "embed_audio.". Empty when the checkpoint is text-only or lacks the
// tensors.
Result<HardEmbeddings> ComputeHardEmbeddings(const Checkpoint& checkpoint,
                                             const std::string& prefix, int64_t first_id,
                                             int64_t count, const Ops& ops);

}  // namespace gemma3n
