// Seeks land where the index says: without that, VideoReader would decode everything in between.
#include <gtest/gtest.h>

#include "media/container.h"
#include "media/video_index.h"
#include "tests/unit/media/media_files.h"

namespace gemma3n {
namespace {

TEST(StreamDecoder, SeeksToEachKeyFrame) {
  for (const char* name : {"seconds.mp4", "turned.mov", "late-709.mkv", "seconds.webm"}) {
    SCOPED_TRACE(name);
    const auto input = MediaInput::File(testing::MediaFixture(name));
    auto file = Container::Open(input, 1 << 20);
    ASSERT_TRUE(file.ok()) << file.status().message();
    const int stream = (*file)->BestStream(AVMEDIA_TYPE_VIDEO);
    const auto index = VideoIndex::Scan(file->get(), stream);
    ASSERT_TRUE(index.ok()) << index.status().message();
    EXPECT_EQ(index->packets, 40);
    EXPECT_TRUE(index->timed);
    ASSERT_GE(index->key_frames.size(), 2u);
    ASSERT_TRUE((*file)->Restart().ok());
    auto decoder = StreamDecoder::Open(file->get(), stream, 1, 1 << 20);
    ASSERT_TRUE(decoder.ok()) << decoder.status().message();
    const FramePtr frame(av_frame_alloc());
    for (auto key = index->key_frames.rbegin(); key != index->key_frames.rend(); ++key) {
      int64_t landed = -1;
      ASSERT_TRUE(decoder->Seek(key->pts, &landed));
      EXPECT_EQ(landed, key->pts);
      ASSERT_TRUE(*decoder->Next(frame.get()));
      EXPECT_EQ(frame->best_effort_timestamp, key->pts);
    }
  }
}

}  // namespace
}  // namespace gemma3n
