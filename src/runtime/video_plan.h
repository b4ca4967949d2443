// A video to what the model reads: its frames with their times between them, and its sound in step.
#pragma once

#include <functional>

#include "base/result.h"
#include "gemma3n/content.h"
#include "runtime/content_hash.h"
#include "runtime/media_encoder.h"
#include "runtime/medium_plan.h"

namespace gemma3n::internal {

struct VideoChoices {
  int64_t size = 768;  // pixels a side of a frame
  double frames_per_second = 1;
  double audio_window = 30;  // seconds
  int64_t room = 0;  // tokens that the video may take; frames are left out evenly to keep it
  int64_t frame_cost = 0, clip_cost = 0;  // tokens of a frame with its time, of a clip

  // Names what these choices make of a file.
  ContentHash Hash(const MediaSource& source) const;
};

// "00:07", from an hour "1:02:07"; tenths where frames come more often than every second.
std::string TimeText(double seconds, bool tenths);

// Items: time, frame, time, frame, ...; a clip of the sound track stands behind the first frame
// that is shown when it begins or later. Frames are encoded here, while the next ones are decoded;
// clips come with their samples. on_frame: after each; its failure ends the reading. Errors: those
// of VideoReader and DecodeAudio; kOutOfRange when not one frame has room.
Result<MediumPlan> PlanVideoFile(const MediaSource& source, const VideoChoices& choices,
                                 MediaEncoder& encoder, const std::function<Status()>& on_frame);

}  // namespace gemma3n::internal
