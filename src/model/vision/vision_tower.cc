#include "model/vision/vision_tower.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/vision/convolution.h"
#include "model/vision/edge_residual.h"
#include "model/vision/mobile_attention.h"
#include "model/vision/multi_scale_fusion.h"
#include "model/vision/stem.h"
#include "model/vision/universal_inverted_residual.h"

namespace gemma3n {
namespace vision {
namespace {

struct MapShape {
  int64_t side = 0, channels = 0;
  int64_t floats() const { return Scratch::Floats(side * side, channels); }
};

// Whether the block may write where it reads.
bool InPlace(const BlockWeights& block) {
  const auto* inverted = std::get_if<InvertedResidualWeights>(&block);
  return std::holds_alternative<MobileAttentionWeights>(block) ||
         (inverted != nullptr && inverted->skip && inverted->middle.empty());
}

MapShape OutputShape(const BlockWeights& block, const MapShape& in) {
  if (const auto* w = std::get_if<EdgeResidualWeights>(&block)) {
    return {OutputSize(in.side, w->expand.stride), w->project.rows()};
  }
  if (const auto* w = std::get_if<InvertedResidualWeights>(&block)) {
    int64_t side = in.side;
    if (!w->start.empty()) side = OutputSize(side, w->start.stride);
    if (!w->middle.empty()) side = OutputSize(side, w->middle.stride);
    return {side, w->project.rows()};
  }
  return in;
}

Status Forward(const BlockWeights& block, const FeatureMap& x, const FeatureMap& out,
               const TowerContext& ctx) {
  if (const auto* w = std::get_if<EdgeResidualWeights>(&block)) {
    return EdgeResidualForward(*w, x, out, ctx);
  }
  if (const auto* w = std::get_if<InvertedResidualWeights>(&block)) {
    return InvertedResidualForward(*w, x, out, ctx);
  }
  return MobileAttentionForward(std::get<MobileAttentionWeights>(block), x, ctx);
}

// Two rooms for maps that blocks write to in turn, each as large as its largest map.
struct Rooms {
  int64_t floats[2] = {0, 0};

  Rooms(const TowerWeights& w, MapShape shape) {
    int room = 0;
    floats[0] = shape.floats();
    for (const auto& stage : w.stages) {
      for (const BlockWeights& block : stage) {
        shape = OutputShape(block, shape);
        if (!InPlace(block)) room = 1 - room;
        floats[room] = std::max(floats[room], shape.floats());
      }
    }
  }
};

// A copy that later blocks do not write over.
FeatureMap Kept(const FeatureMap& map, Arena& arena) {
  FeatureMap copy(arena.Floats(map.pixels.rows * map.channels()), map.height, map.width,
                  map.channels());
  std::copy_n(map.pixels.data, map.pixels.rows * map.channels(), copy.pixels.data);
  return copy;
}

// The stem and the four stages. Sets the maps that the last two stages end with.
Status Stages(const TowerWeights& w, std::span<const uint8_t> rgb, int64_t size, FeatureMap* fine,
              FeatureMap* coarse, const Ops& ops, Arena& arena, const Probe& probe) {
  const TowerConfig config{kNormEps};
  MapShape shape{OutputSize(size, w.stem.conv.stride), w.stem.conv.matrix.rows()};
  const Rooms rooms(w, shape);
  float* room[2] = {arena.Floats(rooms.floats[0]), arena.Floats(rooms.floats[1])};
  int at = 0;
  FeatureMap x(room[at], shape.side, shape.side, shape.channels);
  G3N_RETURN_IF_ERROR(StemForward(w.stem, rgb, size, x, {config, ops, arena, probe}));
  for (size_t stage = 0; stage < w.stages.size(); ++stage) {
    const std::string name = fmt::format("vision_stage{}", stage);
    for (size_t i = 0; i < w.stages[stage].size(); ++i) {
      const BlockWeights& block = w.stages[stage][i];
      const TowerContext ctx{config, ops, arena, probe, static_cast<int>(i)};
      FeatureMap out = x;
      if (!InPlace(block)) {
        shape = OutputShape(block, {x.width, x.channels()});
        at = 1 - at;
        out = FeatureMap(room[at], shape.side, shape.side, shape.channels);
      }
      G3N_RETURN_IF_ERROR(Forward(block, x, out, ctx));
      x = out;
      ctx.Tap(name, x.pixels);
    }
    if (stage + 2 == w.stages.size()) *fine = Kept(x, arena);
  }
  *coarse = x;
  return OkStatus();
}

}  // namespace
}  // namespace vision

int64_t VisionTower::soft_tokens() { return vision::kTokenGrid * vision::kTokenGrid; }

Result<VisionTower> VisionTower::Bind(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                      const Ops& ops) {
  VisionTower tower;
  G3N_ASSIGN_OR_RETURN(tower.weights_, vision::BindTowerWeights(checkpoint, arithmetic, ops));
  G3N_ASSIGN_OR_RETURN(tower.embedder_,
                       SoftEmbedder::Bind(checkpoint, "embed_vision.",
                                          checkpoint.config().vision.rms_norm_eps, ops.kernels()));
  const int64_t width = tower.weights_.fusion.project.rows();
  if (tower.embedder_.in_features() != width) {
    return Error(StatusCode::kCorruptFile,
                 "{}: tensor embed_vision.embedding_projection.weight: expected columns for the "
                 "tower's {} features, found {}",
                 checkpoint.path(), width, tower.embedder_.in_features());
  }
  return tower;
}

Status VisionTower::Encode(std::span<const uint8_t> rgb, int64_t size, const View& soft,
                           const Ops& ops, const Probe& probe) const {
  if (!Takes(size)) {
    return Error(StatusCode::kInvalidArgument,
                 "picture: expected 256, 512 or 768 pixels a side, found {}", size);
  }
  if (static_cast<int64_t>(rgb.size()) != size * size * 3) {
    return Error(StatusCode::kInvalidArgument,
                 "picture: expected {} bytes for {} x {} pixels, found {}", size * size * 3, size,
                 size, rgb.size());
  }
  // Room for the maps; stages take the rest. Pages that nobody writes to cost nothing.
  const int64_t side = size / 2;
  const vision::Rooms rooms(weights_, {side, weights_.stem.conv.matrix.rows()});
  const int64_t maps = rooms.floats[0] + rooms.floats[1];
  const int64_t each_thread = int64_t{4} << 20;
  G3N_ASSIGN_OR_RETURN(
      Arena arena,
      Arena::Create(sizeof(float) *
                    static_cast<size_t>(2 * maps + each_thread * ops.pool().threads())));
  vision::FeatureMap fine, coarse;
  G3N_RETURN_IF_ERROR(vision::Stages(weights_, rgb, size, &fine, &coarse, ops, arena, probe));
  const int64_t width = embedder_.in_features();
  const View tokens(arena.Floats(soft_tokens() * width), soft_tokens(), width);
  const vision::TowerConfig config{vision::kNormEps};
  G3N_RETURN_IF_ERROR(
      vision::FusionForward(weights_.fusion, fine, coarse, tokens, {config, ops, arena, probe}));
  // HF scales the features before their norm; it shows only where they are as small as its epsilon.
  const float scale = std::sqrt(static_cast<float>(width));
  ops.ForRows(tokens.rows, [&](int64_t t) { ops.kernels().scale(scale, tokens.row(t), width); });
  G3N_RETURN_IF_ERROR(embedder_.Embed(tokens, soft, ops, arena));
  if (probe) probe("vision_soft", -1, soft);
  return OkStatus();
}

}  // namespace gemma3n
