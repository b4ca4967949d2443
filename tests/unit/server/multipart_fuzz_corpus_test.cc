// Replays the fuzzer's seeds and findings through its own check.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "fuzz/multipart_fuzz.cc"  // its entry point; the fuzzer itself is built by the preset fuzz

namespace gemma3n {
namespace {

TEST(MultipartFuzzCorpus, EveryInputPasses) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(GEMMA3N_SOURCE_DIR "/fuzz/corpus/multipart")) {
    SCOPED_TRACE(entry.path().string());
    const auto text = ReadFile(entry.path());
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text->data()), text->size()),
              0);
    ++files;
  }
  EXPECT_GE(files, 8);
}

}  // namespace
}  // namespace gemma3n
