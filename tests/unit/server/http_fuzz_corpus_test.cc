// Replays the fuzzer's seeds and findings through its own check.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#define LLVMFuzzerTestOneInput HttpFuzzOneInput  // another fuzzer of this room has the name
#include "fuzz/http_fuzz.cc"  // its entry point; the fuzzer itself is built by the preset fuzz

namespace gemma3n {
namespace {

TEST(HttpFuzzCorpus, EveryInputPasses) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(GEMMA3N_SOURCE_DIR "/fuzz/corpus/http")) {
    SCOPED_TRACE(entry.path().string());
    const auto text = ReadFile(entry.path());
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(HttpFuzzOneInput(reinterpret_cast<const uint8_t*>(text->data()), text->size()), 0);
    ++files;
  }
  EXPECT_GE(files, 8);
}

}  // namespace
}  // namespace gemma3n
