#include "runtime/sound_plan.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "media/audio.h"
#include "media/quiet_cut.h"
#include "runtime/media_encoder.h"
#include "runtime/media_source.h"

namespace gemma3n::internal {

Result<MediumPlan> PlanSound(const MediaSource& source, double window) {
  if (!(window >= 1 && window <= kAudioWindowSeconds)) {
    return Error(StatusCode::kInvalidArgument, "audio window: expected 1 to {} seconds, found {}",
                 kAudioWindowSeconds, window);
  }
  MediumPlan plan;
  Audio audio;
  std::span<const float> samples;
  if (source.samples != nullptr) {
    samples = *source.samples;
    const auto odd = std::ranges::find_if_not(samples, [](float x) { return std::isfinite(x); });
    if (odd != samples.end()) {
      return Error(StatusCode::kInvalidArgument, "{}: expected numbers in [-1, 1], found {} at {}",
                   SourceName(source), *odd, odd - samples.begin());
    }
  } else {
    G3N_ASSIGN_OR_RETURN(const MediaFile file, MediaFile::Open(source));
    G3N_ASSIGN_OR_RETURN(audio, DecodeAudio(file.input()));
    samples = audio.samples;
    if (!audio.warning.empty()) plan.notes.push_back(audio.warning);
  }
  if (samples.empty()) {
    return Error(StatusCode::kCorruptFile, "{}: expected sound, found none", SourceName(source));
  }
  for (const Span& span : SplitAtQuietPlaces(samples, window)) {
    const auto part = samples.subspan(static_cast<size_t>(span.begin),
                                      static_cast<size_t>(span.end - span.begin));
    plan.items.push_back({.kind = PlanItem::Kind::kClip,
                          .key = MediaEncoder::HashClip(part),
                          .samples = static_cast<int64_t>(part.size()),
                          .audio = {part.begin(), part.end()}});
  }
  return plan;
}

}  // namespace gemma3n::internal
