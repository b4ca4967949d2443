// Gemma 3n's picture tower: MobileNetV5-300m and the projection of its tokens into the decoder's
// width.
//                                              HF Gemma3nModel.get_image_features; timm
//                                              mobilenetv5_300m_enc
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "kernels/ops.h"
#include "kernels/packed_linear.h"
#include "model/checkpoint.h"
#include "model/multimodal_embedder.h"
#include "model/probe.h"
#include "model/vision/weights.h"

namespace gemma3n {

class VisionTower {
 public:
  // From a checkpoint with vision_tower.timm_model.* and embed_vision.*, which must outlive the
  // tower. kFloat32 is exact; the others repack the weights. Errors: kNotFound, kCorruptFile,
  // kUnsupported, naming the file and the tensor.
  static Result<VisionTower> Bind(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                  const Ops& ops);

  // Pictures that the tower takes: squares of 256, 512 or 768 pixels a side.
  static bool Takes(int64_t size) { return size == 256 || size == 512 || size == 768; }

  // rgb: [size, size, 3], size one of the above; soft: [soft_tokens(), out_features()], the rows to
  // lay among the word embeddings, in reading order. Many threads may call it at once, each with
  // Ops of its own. Probes: "vision_stem", "vision_stage<i>" (layer: block of the stage),
  // "vision_fusion", "vision_soft". Errors: kInvalidArgument (another size, rgb of another length),
  // kResourceExhausted.
  Status Encode(std::span<const uint8_t> rgb, int64_t size, const View& soft, const Ops& ops,
                const Probe& probe = {}) const;

  static int64_t soft_tokens();
  int64_t out_features() const { return embedder_.out_features(); }

 private:
  vision::TowerWeights weights_;
  SoftEmbedder embedder_;
};

}  // namespace gemma3n
