#include "model/vision/weights.h"

#include <iterator>
#include <utility>

#include "model/vision/tower_binder.h"

namespace gemma3n::vision {
namespace {

constexpr char kPrefix[] = "vision_tower.timm_model.";

StemWeights BindStem(TowerBinder& b) {
  const std::string p = std::string(kPrefix) + "conv_stem.";
  const int64_t outputs = b.Outputs(p + "conv.weight", p + "bn.weight");
  StemWeights w;
  b.Full(w.conv, p + "conv.weight", outputs, 3);
  w.conv.stride = 2;
  b.Vector(w.bias, p + "conv.bias", outputs);
  b.Vector(w.norm, p + "bn.weight", outputs);
  return w;
}

EdgeResidualWeights BindEdgeResidual(TowerBinder& b, const std::string& p, int64_t channels,
                                     int64_t stride) {
  const int64_t expanded = b.Outputs(p + "conv_exp.weight", p + "bn1.weight");
  const int64_t outputs = b.Outputs(p + "conv_pwl.weight", p + "bn2.weight");
  EdgeResidualWeights w;
  b.Full(w.expand, p + "conv_exp.weight", expanded, channels);
  w.expand.stride = stride;
  b.Vector(w.expand_norm, p + "bn1.weight", expanded);
  b.Pointwise(w.project, p + "conv_pwl.weight", outputs, expanded);
  b.Vector(w.norm, p + "bn2.weight", outputs);
  w.skip = stride == 1 && outputs == channels;
  return w;
}

InvertedResidualWeights BindInvertedResidual(TowerBinder& b, const std::string& p, int64_t channels,
                                             int64_t stride) {
  const int64_t expanded = b.Outputs(p + "pw_exp.conv.weight", p + "pw_exp.bn.weight");
  const int64_t outputs = b.Outputs(p + "pw_proj.conv.weight", p + "pw_proj.bn.weight");
  InvertedResidualWeights w;
  // The stride sits on the middle convolution; a block without one puts it on the first.
  const bool start = b.Has(p + "dw_start.conv.weight");
  const bool middle = b.Has(p + "dw_mid.conv.weight") || (stride > 1 && !start);
  if (start) {
    b.Depthwise(w.start, p + "dw_start.conv.weight", p + "dw_start.bn.weight", channels,
                middle ? 1 : stride);
  }
  b.Pointwise(w.expand, p + "pw_exp.conv.weight", expanded, channels);
  b.Vector(w.expand_norm, p + "pw_exp.bn.weight", expanded);
  if (middle) {
    b.Depthwise(w.middle, p + "dw_mid.conv.weight", p + "dw_mid.bn.weight", expanded, stride);
  }
  b.Pointwise(w.project, p + "pw_proj.conv.weight", outputs, expanded);
  std::vector<float> layer_scale;
  b.Vector(w.norm, p + "pw_proj.bn.weight", outputs);
  b.Vector(layer_scale, p + "layer_scale.gamma", outputs);
  if (b.status().ok()) b.kernels().mul(layer_scale.data(), w.norm.data(), outputs);
  w.skip = stride == 1 && outputs == channels;
  return w;
}

SharedHead BindSharedHead(TowerBinder& b, const std::string& p, int64_t channels, int64_t width) {
  SharedHead w;
  if (b.Has(p + "down_conv.weight")) {
    b.Depthwise(w.down, p + "down_conv.weight", p + "norm.weight", channels, 2);
  }
  b.Pointwise(w.projection, p + "proj.weight", width, channels);
  return w;
}

MobileAttentionWeights BindMobileAttention(TowerBinder& b, const std::string& p, int64_t channels) {
  const std::string a = p + "attn.";
  const int64_t queries =
      b.Size(a + "query.proj.weight", 0, b.Size(a + "output.proj.weight", 1, 0));
  const int64_t width = b.Size(a + "key.proj.weight", 0, b.Size(a + "value.proj.weight", 0, 1));
  MobileAttentionWeights w;
  b.Vector(w.norm, p + "norm.weight", channels);
  b.Pointwise(w.query, a + "query.proj.weight", queries, channels);
  w.key = BindSharedHead(b, a + "key.", channels, width);
  w.value = BindSharedHead(b, a + "value.", channels, width);
  b.Pointwise(w.output, a + "output.proj.weight", channels, queries);
  b.Vector(w.layer_scale, p + "layer_scale.gamma", channels);
  b.Expect(width > 0 && queries % width == 0, a + "query.proj.weight",
           fmt::format("rows for whole heads of {}, found {} rows", width, queries));
  b.Expect(w.key.down.empty() == w.value.down.empty(), a + "value.down_conv.weight",
           "it beside key.down_conv.weight, or neither");
  return w;
}

FusionWeights BindFusion(TowerBinder& b, int64_t fine, int64_t coarse) {
  const std::string p = std::string(kPrefix) + "msfa.", f = p + "ffn.";
  const int64_t expanded = b.Outputs(f + "pw_exp.conv.weight", f + "pw_exp.bn.weight");
  const int64_t outputs = b.Outputs(f + "pw_proj.conv.weight", f + "pw_proj.bn.weight");
  FusionWeights w;
  if (const auto matrix = b.Pointwise(f + "pw_exp.conv.weight", expanded, fine + coarse)) {
    b.Columns(w.expand_fine, *matrix, 0, fine, w.fine_storage);
    b.Columns(w.expand_coarse, *matrix, fine, coarse, w.coarse_storage);
  }
  b.Vector(w.expand_norm, f + "pw_exp.bn.weight", expanded);
  b.Pointwise(w.project, f + "pw_proj.conv.weight", outputs, expanded);
  b.Vector(w.project_norm, f + "pw_proj.bn.weight", outputs);
  b.Vector(w.norm, p + "norm.weight", outputs);
  return w;
}

BlockWeights BindBlock(TowerBinder& b, const std::string& p, int64_t channels, int64_t stride) {
  if (b.Has(p + "conv_exp.weight")) return BindEdgeResidual(b, p, channels, stride);
  if (b.Has(p + "attn.query.proj.weight")) {
    b.Expect(stride == 1, p + "attn.query.proj.weight",
             "a block that halves the map at a stage's start");
    return BindMobileAttention(b, p, channels);
  }
  return BindInvertedResidual(b, p, channels, stride);
}

int64_t Outputs(const BlockWeights& block, int64_t channels) {
  if (const auto* w = std::get_if<EdgeResidualWeights>(&block)) return w->project.rows();
  if (const auto* w = std::get_if<InvertedResidualWeights>(&block)) return w->project.rows();
  return channels;
}

}  // namespace

Result<TowerWeights> BindTowerWeights(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                      const Ops& ops) {
  TowerBinder b(checkpoint, arithmetic, ops);
  TowerWeights w;
  w.stem = BindStem(b);
  int64_t channels = w.stem.conv.matrix.rows();
  std::vector<int64_t> widths;  // of each stage's output
  for (int stage = 0; stage < static_cast<int>(std::size(kStageBlocks)); ++stage) {
    auto& blocks = w.stages.emplace_back();
    for (int i = 0; i < kStageBlocks[stage]; ++i) {
      G3N_RETURN_IF_ERROR(b.status());
      const std::string p = fmt::format("{}blocks.{}.{}.", kPrefix, stage, i);
      blocks.push_back(BindBlock(b, p, channels, i == 0 ? 2 : 1));
      channels = Outputs(blocks.back(), channels);
    }
    widths.push_back(channels);
  }
  w.fusion = BindFusion(b, widths[widths.size() - 2], widths.back());
  G3N_RETURN_IF_ERROR(b.status());
  return w;
}

}  // namespace gemma3n::vision
