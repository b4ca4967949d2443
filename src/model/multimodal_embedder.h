// Rows of the decoder's input that come from a picture or a sound instead of embed_tokens.  HF
// Gemma3nMultimodalEmbedder
//   hard(r) = rms( W rms(E[r]; hard_norm) )     E: [128, Dm]  W: [D, Dm]     delimiters and
//   placeholders soft(x) = rms( W rms(x; soft_norm) )        x: a tower's output row, [Dm]
#pragma once

#include <vector>

#include "base/arena.h"
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
// tensors. eps: the modality's own rms_norm_eps.
Result<HardEmbeddings> ComputeHardEmbeddings(const Checkpoint& checkpoint,
                                             const std::string& prefix, int64_t first_id,
                                             int64_t count, float eps, const Ops& ops);

// A tower's output rows to rows of the decoder's input.
class SoftEmbedder {
 public:
  SoftEmbedder() = default;

  // prefix: "embed_vision." or "embed_audio."; eps: the modality's own rms_norm_eps. Both widths
  // come from the projection's shape. The checkpoint must outlive the embedder. Errors: kNotFound,
  // kCorruptFile, kUnsupported, naming the file and the tensor.
  static Result<SoftEmbedder> Bind(const Checkpoint& checkpoint, const std::string& prefix,
                                   float eps, const KernelTable& kernels);

  // x: [T, in_features], out: [T, out_features]. Scratch is x's size.
  // Errors: kInternal when a shape is another.
  Status Embed(const ConstView& x, const View& out, const Ops& ops, Arena& arena) const;

  int64_t in_features() const { return projection_.cols; }   // Dm, the tower's width
  int64_t out_features() const { return projection_.rows; }  // D

 private:
  std::vector<float> norm_;  // soft_embedding_norm, [Dm]
  Matrix projection_;        // [D, Dm]
  float eps_ = 0;
};

}  // namespace gemma3n
