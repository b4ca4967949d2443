// Replays the fuzzer's seeds and findings through the fuzzer's own check.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/json_schema_fuzz.cc"  // its entry point; the fuzzer itself is built by the preset fuzz

namespace gemma3n {
namespace {

TEST(JsonSchemaFuzzCorpus, EveryInputPasses) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(GEMMA3N_SOURCE_DIR "/fuzz/corpus/json_schema")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    SCOPED_TRACE(entry.path().string());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size()),
              0);
    ++files;
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace gemma3n
