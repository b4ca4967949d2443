// Frames decoded and scaled on a thread of their own, a few ahead of whoever takes them.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "media/video.h"

namespace gemma3n::internal {

class FramePipeline {
 public:
  // reader: used by the thread alone until this object is gone.
  FramePipeline(VideoReader& reader, int64_t size);
  ~FramePipeline();  // stops and joins
  FramePipeline(const FramePipeline&) = delete;
  FramePipeline& operator=(const FramePipeline&) = delete;

  // The next frame, `size` pixels a side; none at the end. Errors: VideoReader::Next's.
  Result<std::optional<VideoFrame>> Next();

 private:
  using Item = Result<std::optional<VideoFrame>>;
  static constexpr size_t kAhead = 3;
  void Produce(VideoReader& reader, int64_t size);
  Item NextScaled(VideoReader& reader, int64_t size);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> ready_;  // guarded by mutex_, as is stop_
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace gemma3n::internal
