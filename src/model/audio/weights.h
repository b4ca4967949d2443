// The sound tower's weights, bound to a checkpoint. Matrices are made ready for one arithmetic,
// small tensors converted to float32. D: the tower's width, F: mel bins, C0 and C1: channels of the
// two convolutions.
#pragma once

#include <vector>

#include "base/result.h"
#include "kernels/packed_linear.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace gemma3n {

// Sub-sample convolution projection (SSCP).
struct SubsamplingWeights {
  std::vector<float> conv0;  // [3 time, 3 freq, C0]: one input channel
  std::vector<float> norm0;  // [C0]
  std::vector<float> conv1;  // [C1, 3 time, 3 freq, C0]
  std::vector<float> norm1;  // [C1]
  PackedLinear projection;   // [D, F/4 * C1], frequency outermost
};

struct ConformerFeedForwardWeights {
  std::vector<float> pre_norm, post_norm;  // [D]
  PackedLinear expand;                     // [4 D, D]
  PackedLinear contract;                   // [D, 4 D]
};

struct ConformerAttentionWeights {
  std::vector<float> pre_norm, post_norm;  // [D]
  PackedLinear q, k, v, post;              // [D, D]
  std::vector<float>
      query_scale;  // [D]: head_dim^-1/2 / ln 2 * softplus(per_dim_scale), once per head
  std::vector<float> position;  // [context_left, D]: pos_proj(sinusoid(distance)), distance 0 first
};

struct LightConvWeights {
  std::vector<float> pre_norm, conv_norm;  // [D]
  PackedLinear start;                      // [2 D, D]: values, then gates
  std::vector<float> depthwise;            // [kernel, D], the oldest row first
  PackedLinear end;                        // [D, D]
};

struct ConformerWeights {
  ConformerFeedForwardWeights feed_forward_start, feed_forward_end;
  ConformerAttentionWeights attention;
  LightConvWeights light_conv;
  std::vector<float> norm;  // [D]
};

struct AudioWeights {
  SubsamplingWeights subsampling;
  std::vector<ConformerWeights> blocks;
};

// Binds "audio_tower...." and checks each shape against config().audio. The checkpoint must outlive
// the weights. kInt8 is taken where the soft tokens stay within 0.999 (cosine) of float32's,
// kBFloat16 elsewhere. Errors: kNotFound, kCorruptFile, kUnsupported, naming the file and the
// tensor.
Result<AudioWeights> BindAudioWeights(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                      const Ops& ops);

}  // namespace gemma3n
