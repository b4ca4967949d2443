#include "runtime/media_encoder.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "media/resize.h"

namespace gemma3n::internal {
namespace {

constexpr const char* kMmprojHint = "; a GGUF model has its towers in a second file (mmproj)";

// A plan is a few kilobytes at most; a long-running server starts over now and then.
constexpr size_t kMostPlans = 1024;

// fastest: what kAuto stands for where the processor has dot products of small numbers.
Arithmetic ChooseArithmetic(MediaPrecision precision, const Ops& ops, Arithmetic fastest) {
  switch (precision) {
    case MediaPrecision::kFloat32:
      return Arithmetic::kFloat32;
    case MediaPrecision::kBFloat16:
      return Arithmetic::kBFloat16;
    case MediaPrecision::kInt8:
      return Arithmetic::kInt8;
    case MediaPrecision::kAuto:
      break;
  }
  return PackedLinear::Fastest(ops) == Arithmetic::kFloat32 ? Arithmetic::kFloat32 : fastest;
}

ContentHash ClipKey(const ContentHash& clip, int64_t longest) {
  return ContentHasher("clip").Add(std::as_bytes(std::span(clip))).Add(longest).Finish();
}

}  // namespace

MediaEncoder::MediaEncoder(const Checkpoint& towers, const ModelConfig& config, const Ops& ops,
                           FairMutex& compute, const EngineOptions& options)
    : towers_(towers),
      config_(config),
      ops_(ops),
      compute_(compute),
      vision_arithmetic_(ChooseArithmetic(options.media_precision, ops, Arithmetic::kBFloat16)),
      // The sound tower takes int8 only where its soft tokens stay near float32's (cosine 0.9994).
      hearing_arithmetic_(ChooseArithmetic(options.media_precision, ops, Arithmetic::kInt8)),
      cache_(options.media_cache_bytes) {}

void MediaEncoder::ReleaseWeights(std::string_view prefix) const {
  for (const auto& [name, tensor] : towers_.tensors()) {
    if (name.starts_with(prefix)) ReleaseMappedPages({tensor.data, tensor.bytes});
  }
}

Result<const VisionTower*> MediaEncoder::Vision() {
  if (!HasVision()) {
    return Error(StatusCode::kUnsupported, "{}: expected a picture tower ({}), found none{}",
                 towers_.path(), kVisionTensor, kMmprojHint);
  }
  if (!vision_) {
    G3N_ASSIGN_OR_RETURN(vision_, VisionTower::Bind(towers_, vision_arithmetic_, ops_));
    ReleaseWeights("vision_tower.");
  }
  return &*vision_;
}

Result<const AudioTower*> MediaEncoder::Hearing() {
  if (!HasHearing()) {
    return Error(StatusCode::kUnsupported, "{}: expected a sound tower ({}), found none{}",
                 towers_.path(), kHearingTensor, kMmprojHint);
  }
  if (!hearing_) {
    G3N_ASSIGN_OR_RETURN(hearing_, AudioTower::Bind(towers_, hearing_arithmetic_, ops_));
    ReleaseWeights("audio_tower.");
  }
  return &*hearing_;
}

template <typename Run>
Result<MediaEncoder::Entry> MediaEncoder::Encode(const ContentHash& key, int64_t count,
                                                 const Run& run) {
  const int64_t hidden = config_.text.hidden_size;
  auto soft = std::make_shared<SoftTokens>();
  soft->hash = key;
  soft->count = count;
  soft->rows.resize(static_cast<size_t>(count * hidden));
  const FairMutex::Guard lock(compute_, FairMutex::Lane::kTowers);
  G3N_RETURN_IF_ERROR(run(View(soft->rows.data(), count, hidden)));
  ++tower_runs_;
  cache_.Insert(key, soft);
  return Entry(std::move(soft));
}

Result<MediaEncoder::Entry> MediaEncoder::EncodePicture(const Image& picture, int64_t size) {
  const Image square = ResizeBilinear(picture, size, size);
  const ContentHash key =
      ContentHasher("picture").Add(size).Add(std::as_bytes(std::span(square.rgb))).Finish();
  if (Entry found = cache_.Find(key)) return found;
  return Encode(key, config_.tokens.image_soft_tokens, [&](const View& rows) -> Status {
    G3N_ASSIGN_OR_RETURN(const VisionTower* tower, Vision());
    return tower->Encode(square.rgb, size, rows, ops_);
  });
}

ContentHash MediaEncoder::HashClip(std::span<const float> samples) {
  return ContentHasher("samples").Add(std::as_bytes(samples)).Finish();
}

MediaEncoder::Entry MediaEncoder::FindClip(const ContentHash& clip, int64_t longest) {
  return cache_.Find(ClipKey(clip, longest));
}

Result<MediaEncoder::Entry> MediaEncoder::EncodeClip(const ContentHash& clip,
                                                     std::span<const float> samples,
                                                     int64_t longest) {
  const ContentHash key = ClipKey(clip, longest);
  if (Entry found = cache_.Find(key)) return found;
  return Encode(key, config_.tokens.audio_soft_tokens, [&](const View& rows) -> Status {
    G3N_ASSIGN_OR_RETURN(const AudioTower* tower, Hearing());
    return tower->Encode({&samples, 1}, rows, ops_, longest);
  });
}

bool MediaEncoder::FindPlan(const ContentHash& key, MediumPlan* plan) {
  {
    const std::lock_guard lock(plans_mutex_);
    const auto found = plans_.find(key);
    if (found == plans_.end()) return false;
    *plan = found->second;
  }
  for (PlanItem& item : plan->items) {
    if (item.kind != PlanItem::Kind::kPicture) continue;
    item.soft = cache_.Find(item.key);
    if (item.soft == nullptr) {
      *plan = {};
      return false;
    }
  }
  return true;
}

void MediaEncoder::InsertPlan(const ContentHash& key, const MediumPlan& plan) {
  MediumPlan kept = {.notes = plan.notes};
  for (const PlanItem& item : plan.items) {
    kept.items.push_back(
        {.kind = item.kind, .text = item.text, .key = item.key, .samples = item.samples});
  }
  const std::lock_guard lock(plans_mutex_);
  if (plans_.size() >= kMostPlans) plans_.clear();
  plans_[key] = std::move(kept);
}

}  // namespace gemma3n::internal
