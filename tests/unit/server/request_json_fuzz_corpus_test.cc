// Replays the fuzzer's seeds and findings through its own check.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#define LLVMFuzzerTestOneInput RequestJsonFuzzOneInput  // another fuzzer of this room has the name
#include "fuzz/request_json_fuzz.cc"  // its entry point; the fuzzer itself is built by the preset fuzz

namespace gemma3n {
namespace {

TEST(RequestJsonFuzzCorpus, EveryInputPasses) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(GEMMA3N_SOURCE_DIR "/fuzz/corpus/request_json")) {
    SCOPED_TRACE(entry.path().string());
    const auto text = ReadFile(entry.path());
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(RequestJsonFuzzOneInput(reinterpret_cast<const uint8_t*>(text->data()), text->size()),
              0);
    ++files;
  }
  EXPECT_GE(files, 17);
}

}  // namespace
}  // namespace gemma3n
