// Replays the fuzzer's seeds and findings through the fuzzer's own check.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/jinja_fuzz.cc"  // its entry point; the fuzzer itself is built by the preset fuzz
#include "tests/unit/chat/json_value.h"

namespace gemma3n {
namespace {

TEST(JinjaFuzzCorpus, EveryInputPasses) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(GEMMA3N_SOURCE_DIR "/fuzz/corpus/jinja")) {
    const std::string text = ReadText(entry.path());
    SCOPED_TRACE(entry.path().string());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size()),
              0);
    ++files;
  }
  EXPECT_GE(files, 50);
}

}  // namespace
}  // namespace gemma3n
