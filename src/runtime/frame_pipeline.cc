#include "runtime/frame_pipeline.h"

#include <utility>

#include "media/resize.h"
#include "runtime/guard.h"

namespace gemma3n::internal {

FramePipeline::FramePipeline(VideoReader& reader, int64_t size)
    : thread_([this, &reader, size] { Produce(reader, size); }) {}

FramePipeline::~FramePipeline() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

FramePipeline::Item FramePipeline::NextScaled(VideoReader& reader, int64_t size) {
  return Guard([&]() -> Item {
    G3N_ASSIGN_OR_RETURN(std::optional<VideoFrame> frame, reader.Next());
    if (frame) frame->image = ResizeBilinear(frame->image, size, size);
    return frame;
  });
}

void FramePipeline::Produce(VideoReader& reader, int64_t size) {
  for (bool more = true; more;) {
    Item item = NextScaled(reader, size);
    more = item.ok() && item->has_value();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_ || ready_.size() < kAhead; });
    if (stop_) return;
    ready_.push_back(std::move(item));
    changed_.notify_all();
  }
}

Result<std::optional<VideoFrame>> FramePipeline::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty(); });
  Item item = std::move(ready_.front());
  // The last one, the end or a failure, stays: whoever asks again is told again.
  if (item.ok() && item->has_value()) {
    ready_.pop_front();
  } else {
    ready_.front() = item;
  }
  changed_.notify_all();
  return item;
}

}  // namespace gemma3n::internal
