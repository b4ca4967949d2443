// Long sound in clips: cut where it is quiet, so that no word is cut in two.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/audio.h"

namespace gemma3n {

struct Span {
  int64_t begin = 0, end = 0;  // samples, end excluded
  bool operator==(const Span&) const = default;
};

// Seconds that the audio tower hears at once.
inline constexpr double kAudioWindowSeconds = 30;

// 16 kHz samples as clips of at most `window` seconds (at least 1), in order, without gap or
// overlap. While more than one window is left, the clip ends in the last third of the window, at
// the middle of the quietest 200 ms there; where several are equally quiet (digital silence), in
// the middle of the longest such stretch, the later of equal ones. Sound that never pauses is cut
// at its quietest all the same. The cut depends on nothing but the samples of its own window. No
// samples give no clips.
std::vector<Span> SplitAtQuietPlaces(std::span<const float> samples,
                                     double window = kAudioWindowSeconds);

// The same cuts for sound that is still arriving.
class ClipSplitter {
 public:
  explicit ClipSplitter(double window = kAudioWindowSeconds);

  struct Clip {
    int64_t begin = 0;  // sample, counted from the first that was pushed
    std::vector<float> samples;
  };

  void Push(std::span<const float> samples);
  // The next clip that is finished: one can be cut as soon as more than a window is there.
  std::optional<Clip> Next();
  // What is left when the sound has ended and Next() gives no more; nothing when nothing is left.
  std::optional<Clip> Finish();

 private:
  Clip Take(int64_t count);

  int64_t window_, begin_ = 0;
  std::vector<float> waiting_;
};

}  // namespace gemma3n
