// The picture tower's weights: MobileNetV5-300m, as timm names them below
// "vision_tower.timm_model.". Every width comes from the tensors' shapes, a block's kind from which
// tensors it has. Shapes: C channels in, M expanded, O out, k kernel.
#pragma once

#include <variant>
#include <vector>

#include "base/result.h"
#include "kernels/ops.h"
#include "kernels/packed_linear.h"
#include "model/checkpoint.h"

namespace gemma3n::vision {

// A convolution over the 3 x 3 neighbourhood and all channels, as one matrix over gathered pixels.
struct FullConv {
  PackedLinear matrix;         // [O, 9 C], column (ky, kx, c)
  std::vector<float> storage;  // what the matrix multiplies from when it has no copy of its own
  int64_t channels = 0;        // C
  int64_t stride = 1;
};

// A convolution of each channel by itself, then an RMS norm.
struct DepthwiseConv {
  std::vector<float> taps;  // [k, k, C]; empty: no such step
  std::vector<float> norm;  // [C]
  int64_t kernel = 0, stride = 1;
  bool empty() const { return taps.empty(); }
};

struct StemWeights {
  FullConv conv;            // stride 2, over the 3 colours
  std::vector<float> bias;  // [O], the tower's only one
  std::vector<float> norm;  // [O]
};

struct EdgeResidualWeights {
  FullConv expand;                 // [M, 9 C]
  std::vector<float> expand_norm;  // [M]
  PackedLinear project;            // [O, M]
  std::vector<float> norm;         // [O]
  bool skip = false;               // adds its input: stride 1 and C = O
};

struct InvertedResidualWeights {
  DepthwiseConv start;             // over C
  PackedLinear expand;             // [M, C]
  std::vector<float> expand_norm;  // [M]
  DepthwiseConv middle;            // over M
  PackedLinear project;            // [O, M]
  std::vector<float> norm;         // [O], times the layer scale
  bool skip = false;
};

// Keys or values: one head that every query head shares.
struct SharedHead {
  DepthwiseConv down;       // stage 2: a stride of 2, so that 48 x 48 pixels look at 24 x 24
  PackedLinear projection;  // [d, C]
};

struct MobileAttentionWeights {
  std::vector<float> norm;         // [C]
  PackedLinear query;              // [heads d, C]
  SharedHead key, value;           // key width and value width are one, d
  PackedLinear output;             // [C, heads d]
  std::vector<float> layer_scale;  // [C]
  int64_t head_dim() const { return key.projection.rows(); }
};

// Multi-scale fusion adapter. Its first matrix sees the fine map and the doubled coarse one side by
// side; it is kept as two, because doubling pixels and multiplying by a matrix may change places.
struct FusionWeights {
  PackedLinear expand_fine, expand_coarse;          // [M, C fine], [M, C coarse]
  std::vector<float> fine_storage, coarse_storage;  // as FullConv::storage
  std::vector<float> expand_norm;                   // [M]
  PackedLinear project;                             // [O, M]
  std::vector<float> project_norm;                  // [O]
  std::vector<float> norm;                          // [O]
};

using BlockWeights =
    std::variant<EdgeResidualWeights, InvertedResidualWeights, MobileAttentionWeights>;

struct TowerWeights {
  StemWeights stem;
  std::vector<std::vector<BlockWeights>> stages;
  FusionWeights fusion;  // of the last two stages
};

// The wiring that no shape tells: how many blocks a stage has. A stage's first block halves the
// map.
inline constexpr int kStageBlocks[] = {3, 5, 37, 39};
// A depthwise convolution's largest neighbourhood, k x k.
inline constexpr int64_t kMaxKernel = 7;
// Of all the tower's own norms (timm RmsNorm2d).
inline constexpr float kNormEps = 1e-6f;

// The checkpoint must outlive the weights.
// Errors: kNotFound, kCorruptFile, kUnsupported, naming the file and the tensor.
Result<TowerWeights> BindTowerWeights(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                      const Ops& ops);

}  // namespace gemma3n::vision
