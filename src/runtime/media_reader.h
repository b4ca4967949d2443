// From the media of a conversation to the places and the soft tokens that the prompt has for them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"
#include "gemma3n/options.h"
#include "gemma3n/prompt.h"
#include "runtime/media_encoder.h"
#include "runtime/medium_plan.h"

namespace gemma3n::internal {

// Reads the media of one prompt. Videos become frames with their times between them and their
// sound; sound longer than a window becomes clips.
class MediaReader {
 public:
  // count_tokens: of a text; videos are thinned so that `options.room` is kept.
  MediaReader(MediaEncoder& encoder, const ModelConfig& config, const MediaOptions& options,
              std::function<int64_t(std::string_view)> count_tokens)
      : encoder_(encoder),
        config_(config),
        options_(options),
        count_tokens_(std::move(count_tokens)) {}

  // The same messages with parts of text, kImage and kAudio only, one for each run of soft tokens,
  // whose rows go to prompt->images and prompt->audios in order. What becomes of a video depends on
  // the messages up to its own alone, so that a conversation that grows stays as it was read.
  // Errors: kNotFound, kCorruptFile, kUnsupported, kOutOfRange, ... naming the medium; kCancelled.
  Result<std::vector<Message>> Read(std::span<const Message> messages, Prompt* prompt);

 private:
  // One part's place in the result.
  struct Place {
    MediaSource source;
    MediumPlan plan;
  };

  Status ReadMessage(const Message& message);
  Status PlanPart(const Part& part, Place* place);
  Status PlanImage(const Part& part, Place* place);
  Status PlanAudio(const Part& part, Place* place);
  Status PlanVideo(const Part& part, int64_t room, Place* place);  // room: tokens it may take
  int64_t ImageCost() const;
  int64_t ClipCost() const;
  // The clips' soft tokens, once the longest is known.
  Status EncodeClips();
  Status EncodeClipsOf(Place& place, int64_t longest);
  Status Step();  // one more picture or clip is done

  MediaEncoder& encoder_;
  const ModelConfig& config_;
  const MediaOptions& options_;
  std::function<int64_t(std::string_view)> count_tokens_;
  std::vector<std::vector<Place>> messages_;
  int64_t used_ = 0;  // tokens so far
  int64_t done_ = 0;  // pictures, frames and clips
};

}  // namespace gemma3n::internal
