#include "base/result.h"

#include <gtest/gtest.h>

namespace gemma3n {
namespace {

TEST(OneLine, KeepsText) {
  for (const char* text : {"", "plain: 3 of 4", "caf\xC3\xA9 \xE2\x96\x81 \xF0\x9F\x98\x80"}) {
    EXPECT_EQ(OneLine(text), text);
  }
}

TEST(OneLine, SpellsOutWhatIsNotText) {
  EXPECT_EQ(OneLine("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(OneLine(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(OneLine("\xC3"), "\\xc3");
  EXPECT_EQ(OneLine("\xC0\xAF"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(OneLine("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(OneLine("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past the last character
  EXPECT_EQ(OneLine("\xE2\x96x"), "\\xe2\\x96x");
}

TEST(OneLine, LeavesOutTheMiddleOfVeryLongText) {
  const std::string line = OneLine("begin" + std::string(100000, 'x') + "end");
  EXPECT_LT(line.size(), 4100u);
  EXPECT_TRUE(line.starts_with("begin"));
  EXPECT_TRUE(line.ends_with("end"));
}

TEST(Error, IsOneLineWhateverNamesItHolds) {
  EXPECT_EQ(Error(StatusCode::kCorruptFile, "tensor {}", "a\nb").message(), "tensor a\\x0ab");
}

}  // namespace
}  // namespace gemma3n
