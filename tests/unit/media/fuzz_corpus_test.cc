// What the media fuzzers start from, and what they once found, replayed: fuzz/corpus/.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/exercise_media.h"
#include "tests/unit/media/media_files.h"

namespace gemma3n {
namespace {

template <typename Use>
void ForEachInput(const std::string& target, const Use& use) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GEMMA3N_SOURCE_DIR) +
                                                               "/fuzz/corpus/" + target)) {
    SCOPED_TRACE(entry.path().string());
    const std::string bytes = testing::ReadAll(entry.path().string());
    use(std::as_bytes(std::span(bytes)));
    ++inputs;
  }
  EXPECT_GT(inputs, 5) << target;
}

TEST(FuzzCorpus, AudioFile) { ForEachInput("audio_file", fuzz::ExerciseAudioFile); }

TEST(FuzzCorpus, VideoFile) { ForEachInput("video_file", fuzz::ExerciseVideoFile); }

// The seeds are worth something: they can be decoded, but for those that are there to fail.
TEST(FuzzCorpus, SeedsAreValid) {
  const std::string corpus = std::string(GEMMA3N_SOURCE_DIR) + "/fuzz/corpus/";
  for (const char* name : {"wav", "float_stereo", "flac", "mp3", "opus", "m4a", "adts", "au"})
    EXPECT_TRUE(DecodeAudio(MediaInput::File(corpus + "audio_file/" + name)).ok()) << name;
  for (const char* name : {"mp4", "webm", "mkv_late", "mov", "avi", "mjpeg", "gif", "h264"})
    EXPECT_TRUE(VideoReader::Open(MediaInput::File(corpus + "video_file/" + name)).ok()) << name;
}

// Cut at many lengths, and with many a byte inverted: no crash, no endless loop, and one
// sentence where it fails.
TEST(FuzzCorpus, CutAndDamaged) {
  const std::string corpus = std::string(GEMMA3N_SOURCE_DIR) + "/fuzz/corpus/";
  for (const char* name :
       {"audio_file/m4a", "audio_file/wav", "video_file/mp4", "video_file/webm"}) {
    const std::string bytes = testing::ReadAll(corpus + name);
    for (size_t i = 0; i < bytes.size(); i += 97) {
      const std::string cut = bytes.substr(0, i);
      fuzz::ExerciseAudioFile(std::as_bytes(std::span(cut)));
      fuzz::ExerciseVideoFile(std::as_bytes(std::span(cut)));
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(~damaged[i]);
      fuzz::ExerciseAudioFile(std::as_bytes(std::span(damaged)));
      fuzz::ExerciseVideoFile(std::as_bytes(std::span(damaged)));
    }
  }
}

}  // namespace
}  // namespace gemma3n
