// What the fuzzer starts from, and what it once found, replayed: fuzz/corpus/image.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/exercise_image.h"
#include "tests/unit/media/image_fixtures.h"

namespace gemma3n {
namespace {

TEST(ImageCorpus, IsReplayed) {
  int inputs = 0, pictures = 0;
  const std::string corpus = std::string(GEMMA3N_SOURCE_DIR) + "/fuzz/corpus/image";
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    SCOPED_TRACE(entry.path().string());
    const auto bytes = testing::ReadBytes(entry.path().string());
    fuzz::ExerciseImage(bytes);
    ++inputs;
    pictures += DecodeImage(bytes, "seed").ok();
  }
  EXPECT_GE(inputs, 10);
  EXPECT_GE(pictures, 10);  // the seeds are worth something
}

}  // namespace
}  // namespace gemma3n
