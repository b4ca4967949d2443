// The text model's weights, bound to a checkpoint: big matrices stay in the mapped file in their
// stored dtype, small vectors are converted to float32. Shapes: D hidden, F MLP width, P per-layer
// width, A AltUp streams, R LAuReL rank.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "kernels/coarse_rows.h"
#include "kernels/columns.h"
#include "kernels/ops.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "tensor/matrix.h"

namespace gemma3n {

struct AltUpWeights {
  std::vector<float> router_norm;           // [D]
  std::vector<float> modality_router;       // [A, D]
  std::vector<float> prediction_coefs;      // [A * A, A], row a * A + b: from stream b to stream a
  std::vector<float> correction_coefs;      // [A, A], row a: stream a
  std::vector<float> correct_output_scale;  // [D]
};

struct LaurelWeights {
  Matrix left;                   // [R, D]
  Matrix right;                  // [D, R]
  std::vector<float> post_norm;  // [D]
};

struct AttentionWeights {
  Matrix q, o;                // [Hq * d, D], [D, Hq * d]
  Matrix k, v;                // [Hk * d, D]; empty in layers that share another's K/V
  std::vector<float> q_norm;  // [d]
  std::vector<float> k_norm;  // [d]; empty where k is
};

struct MlpWeights {
  Matrix gate, up;  // [F, D]: a nested width is a prefix of the rows
  Matrix down;      // [D, F]: ... and of each row's columns, contiguous in every row
  // Down by columns, for decoding where the gate leaves few of them; null where it cannot be had.
  std::shared_ptr<LazyColumns> down_columns;
};

struct PerLayerInputWeights {
  Matrix gate;                   // [P, D]
  Matrix projection;             // [D, P]
  std::vector<float> post_norm;  // [D]
};

struct LayerWeights {
  std::vector<float> input_norm, post_attention_norm, pre_feedforward_norm,
      post_feedforward_norm;  // [D]
  AltUpWeights altup;
  LaurelWeights laurel;
  AttentionWeights attention;
  MlpWeights mlp;
  PerLayerInputWeights per_layer_input;
};

struct TextWeights {
  Matrix embed_tokens;                // [V, D]
  Matrix lm_head;                     // [V, D]; the same bytes as embed_tokens when tied
  std::shared_ptr<CoarseRows> coarse_lm_head;  // to find its largest products; null where small
  Matrix embed_tokens_per_layer;      // [Vp, L * P], looked up row by row, never read whole
  bool mapped = false;                // ... and lies in a mapped file, whose pages can be let go
  Matrix per_layer_model_projection;  // [L * P, D]
  std::vector<float> per_layer_projection_norm;   // [P]
  std::vector<Matrix> altup_projections;          // A - 1 of [D, D]
  std::vector<Matrix> altup_unembed_projections;  // A - 1 of [D, D]
  std::vector<float> norm;                        // [D]
  std::vector<LayerWeights> layers;               // [L]
};

// Binds every text tensor and checks its shape. The checkpoint must outlive the weights.
// Errors: kNotFound, kCorruptFile, kUnsupported, naming the file and the tensor.
Result<TextWeights> BindTextWeights(const Checkpoint& checkpoint, const KernelTable& kernels);

// Bytes of weights that a decoded token needs (ModelInfo::decode_weight_bytes).
int64_t DecodeWeightBytes(const TextWeights& weights, const TextConfig& config);

// A tensor of any dtype as float32.
std::vector<float> ToFloats(const StoredTensor& tensor, const KernelTable& kernels);
// A stored tensor of two dimensions (or one, as a single row) as a matrix.
Matrix ToMatrix(const StoredTensor& tensor);

}  // namespace gemma3n
