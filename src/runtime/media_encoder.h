// Pictures and clips to soft tokens: the towers, bound when they are first needed, and the cache in
// front of them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "base/fair_mutex.h"
#include "base/result.h"
#include "gemma3n/options.h"
#include "media/image.h"
#include "model/audio/audio_tower.h"
#include "model/checkpoint.h"
#include "model/vision/vision_tower.h"
#include "runtime/medium_plan.h"
#include "runtime/soft_token_cache.h"

namespace gemma3n::internal {

class MediaEncoder {
 public:
  using Entry = SoftTokenCache::Entry;

  // towers: the checkpoint that holds them, outliving this. compute: held while a tower runs, as by
  // every forward pass.
  MediaEncoder(const Checkpoint& towers, const ModelConfig& config, const Ops& ops,
               FairMutex& compute, const EngineOptions& options);

  bool HasVision() const { return towers_.tensors().contains(kVisionTensor); }
  bool HasHearing() const { return towers_.tensors().contains(kHearingTensor); }

  // size: 256, 512 or 768. Errors: kUnsupported (no tower, another size), kCorruptFile.
  Result<Entry> EncodePicture(const Image& picture, int64_t size);

  // A clip of a request whose longest clip has `longest` samples (of 16 kHz): the reference pads
  // all of them to that. clip: what HashClip gave. Errors: as above.
  Result<Entry> EncodeClip(const ContentHash& clip, std::span<const float> samples,
                           int64_t longest);
  // The same from the cache alone, by what HashClip gave; null when it has to be encoded.
  Entry FindClip(const ContentHash& clip, int64_t longest);
  static ContentHash HashClip(std::span<const float> samples);

  // What a file became, so that a conversation that comes again need not decode it. Found only
  // while all its pictures are in the cache; clips come without their samples.
  bool FindPlan(const ContentHash& key, MediumPlan* plan);
  void InsertPlan(const ContentHash& key, const MediumPlan& plan);

  int64_t tower_runs() const {
    return tower_runs_;
  }  // pictures and clips that were not in the cache

 private:
  // Tensors that every tower has.
  static constexpr const char* kVisionTensor = "vision_tower.timm_model.conv_stem.conv.weight";
  static constexpr const char* kHearingTensor =
      "audio_tower.subsample_conv_projection.conv_0.conv.weight";

  // New soft tokens through run(rows [count, D]), which has a tower fill them; into the cache.
  template <typename Run>
  Result<Entry> Encode(const ContentHash& key, int64_t count, const Run& run);
  Result<const VisionTower*> Vision();  // compute_ is held
  Result<const AudioTower*> Hearing();
  // A bound tower has its weights repacked in memory of its own: the file's pages need not stay.
  void ReleaseWeights(std::string_view prefix) const;

  const Checkpoint& towers_;
  const ModelConfig& config_;
  const Ops& ops_;
  FairMutex& compute_;
  const Arithmetic vision_arithmetic_, hearing_arithmetic_;
  SoftTokenCache cache_;
  std::mutex plans_mutex_;
  std::map<ContentHash, MediumPlan> plans_;  // guarded by plans_mutex_
  std::optional<VisionTower> vision_;        // guarded by compute_
  std::optional<AudioTower> hearing_;        // guarded by compute_
  std::atomic<int64_t> tower_runs_{0};
};

}  // namespace gemma3n::internal
