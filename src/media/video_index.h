// When the frames of a video come on, read from its packets without decoding them.
#pragma once

#include <cstdint>
#include <vector>

#include "media/container.h"

namespace gemma3n {

struct VideoIndex {
  struct KeyFrame {
    int64_t pts;     // stream units
    int64_t packet;  // its number in the file's order, from 1
  };
  int64_t packets = 0;               // that are shown
  bool timed = true;                 // every packet says when it is shown
  int64_t first = 0;                 // of the first frame, stream units
  double seconds = 0;                // from the first frame to the end of the last
  double frame_seconds = 0;          // one frame by its nominal rate
  std::vector<KeyFrame> key_frames;  // by pts, none closer than a few packets to the one before

  // Reads `stream` of the container to its end. Errors: kCorruptFile when there are no packets.
  static Result<VideoIndex> Scan(Container* container, int stream);
  // The last key frame shown at or before this moment in seconds, or null.
  const KeyFrame* Before(double moment, const AVRational& unit) const;
};

}  // namespace gemma3n
