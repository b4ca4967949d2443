// What the fuzzers start from, and what they once found, replayed: fuzz/corpus/.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/exercise.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n {
namespace {

template <typename Use>
void ForEachInput(const std::string& target, const Use& use) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GEMMA3N_SOURCE_DIR) +
                                                               "/fuzz/corpus/" + target)) {
    SCOPED_TRACE(entry.path().string());
    use(entry.path().string());
    ++inputs;
  }
  EXPECT_GT(inputs, 1) << target;
}

TEST(FuzzCorpus, Safetensors) { ForEachInput("safetensors", fuzz::ExerciseSafetensors); }

TEST(FuzzCorpus, Gguf) { ForEachInput("gguf", fuzz::ExerciseGguf); }

TEST(FuzzCorpus, Config) {
  ForEachInput("config",
               [](const std::string& path) { fuzz::ExerciseConfigText(testing::ReadAll(path)); });
}

// The seeds are worth something: a whole model comes out of one of each.
TEST(FuzzCorpus, SeedsAreValid) {
  const std::string corpus = std::string(GEMMA3N_SOURCE_DIR) + "/fuzz/corpus/";
  EXPECT_TRUE(SafetensorsFile::Open(corpus + "safetensors/two").ok());
  const auto checkpoint = Checkpoint::Open(corpus + "gguf/model");
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_TRUE(ParseHubConfig(testing::ReadAll(corpus + "config/multimodal"), "", "x").ok());
}

}  // namespace
}  // namespace gemma3n
