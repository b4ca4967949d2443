#include "runtime/video_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "media/audio.h"
#include "media/video.h"
#include "runtime/frame_pipeline.h"
#include "runtime/media_source.h"
#include "runtime/sound_plan.h"

namespace gemma3n::internal {
namespace {

// "every 2.5 s"
std::string IntervalText(double interval) { return fmt::format("every {:.4g} s", interval); }

std::string ThinningNote(const std::string& name, const VideoInfo& info) {
  return fmt::format("{}: {} of {} frames are read, {}: more would not fit into the context", name,
                     info.frames, info.possible_frames, IntervalText(info.interval));
}

// The clips' places: when each begins, in seconds.
std::vector<double> ClipStarts(const MediumPlan& sound) {
  std::vector<double> starts;
  int64_t samples = 0;
  for (const PlanItem& clip : sound.items) {
    starts.push_back(static_cast<double>(samples) / kAudioRate);
    samples += clip.samples;
  }
  return starts;
}

}  // namespace

ContentHash VideoChoices::Hash(const MediaSource& source) const {
  return SourceHash("video", source)
      .Add(size)
      .Add(frames_per_second)
      .Add(audio_window)
      .Add(room)
      .Add(frame_cost)
      .Add(clip_cost)
      .Finish();
}

std::string TimeText(double seconds, bool tenths) {
  const auto whole = static_cast<int64_t>(std::floor(seconds + 1e-6));
  const int64_t hours = whole / 3600;
  std::string text = hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60)
                               : fmt::format("{:02}:{:02}", whole / 60, whole % 60);
  if (tenths) {
    text += fmt::format(".{}", static_cast<int64_t>(std::floor((seconds - whole) * 10 + 1e-6)));
  }
  return text;
}

Result<MediumPlan> PlanVideoFile(const MediaSource& source, const VideoChoices& choices,
                                 MediaEncoder& encoder, const std::function<Status()>& on_frame) {
  const std::string name = SourceName(source);
  G3N_ASSIGN_OR_RETURN(const MediaFile file, MediaFile::Open(source));
  G3N_ASSIGN_OR_RETURN(
      VideoReader reader,
      VideoReader::Open(file.input(), {.frames_per_second = choices.frames_per_second}));
  MediumPlan plan, sound;  // the sound has to be paid for first
  if (reader.info().has_audio) {
    G3N_ASSIGN_OR_RETURN(sound, PlanSound(source, choices.audio_window));
    plan.notes = sound.notes;
  }
  const int64_t left = choices.room - static_cast<int64_t>(sound.items.size()) * choices.clip_cost;
  const int64_t max_frames = left / choices.frame_cost;
  if (max_frames < 1) {
    return Error(StatusCode::kOutOfRange,
                 "{}: a frame takes {} tokens{}, expected room for one, found {}", name,
                 choices.frame_cost,
                 sound.items.empty()
                     ? ""
                     : fmt::format(" and the sound {}", sound.items.size() * choices.clip_cost),
                 std::max<int64_t>(choices.room, 0));
  }
  reader.Limit(max_frames);
  const VideoInfo info = reader.info();
  if (info.thinned()) plan.notes.push_back(ThinningNote(name, info));

  const std::vector<double> starts = ClipStarts(sound);
  size_t clip = 0;
  const auto add_clips_until = [&](double seconds) {
    for (; clip < starts.size() && starts[clip] <= seconds; ++clip) {
      plan.items.push_back(std::move(sound.items[clip]));
    }
  };
  const bool tenths =
      info.interval < 1 || std::abs(info.interval - std::round(info.interval)) > 1e-3;
  FramePipeline frames(reader, choices.size);
  for (;;) {
    G3N_ASSIGN_OR_RETURN(const std::optional<VideoFrame> frame, frames.Next());
    if (!frame) break;
    G3N_ASSIGN_OR_RETURN(auto soft, encoder.EncodePicture(frame->image, choices.size));
    plan.items.push_back({.text = TimeText(frame->seconds, tenths)});
    plan.items.push_back(
        {.kind = PlanItem::Kind::kPicture, .key = soft->hash, .soft = std::move(soft)});
    add_clips_until(frame->seconds);
    G3N_RETURN_IF_ERROR(on_frame());
  }
  add_clips_until(HUGE_VAL);
  return plan;
}

}  // namespace gemma3n::internal
