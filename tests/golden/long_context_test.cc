// 32,768 tokens with a window of 512: slices against transformers at both ends, at the window's
// edges and in between; then the end once more, one token at a time.
#include "tests/golden/golden_model.h"

namespace gemma3n::golden {
namespace {

constexpr int64_t kDecoded = 64;  // tokens of the end that are run again one by one

struct LongContextTest : testing::Test {
  LongContextTest()
      : prompt(ReadExpected(directory + "/expected.safetensors").at(0)),
        tokens(static_cast<int64_t>(prompt.tokens.size())),
        model(directory, *Take(ChooseKernels()), 2) {}

  // tokens[begin, begin + count) with the logits of the reference's positions, and of the last
  // kDecoded ones.
  Slice At(KvCache& cache, int64_t begin, int64_t count) {
    Slice slice{&cache, {}, {}};
    for (int64_t p = begin; p < std::min(begin + count, tokens); ++p) {
      slice.tokens.push_back(prompt.tokens[p]);
      slice.wants.push_back(IsExpected(p) || p >= tokens - kDecoded);
    }
    return slice;
  }
  bool IsExpected(int64_t position) const {
    return std::binary_search(prompt.positions.begin(), prompt.positions.end(), position);
  }

  // Compares one position where the reference has it.
  void Compare(int64_t position, const std::vector<float>& logits) {
    if (!IsExpected(position)) return;
    const auto row = std::lower_bound(prompt.positions.begin(), prompt.positions.end(), position);
    const int64_t r = row - prompt.positions.begin();
    EXPECT_LE(MaxDifference(logits.data(), prompt.logits.row(r), prompt.logits.cols), kTolerance)
        << "position " << position;
    exact_worst = std::max(
        exact_worst, MaxDifference(logits.data(), prompt.exact_logits.row(r), prompt.logits.cols));
    ++compared;
  }

  const std::string directory = FixtureDirectory("long_context");
  const ExpectedPrompt prompt;
  const int64_t tokens;
  GoldenModel model;
  int compared = 0;
  float exact_worst = 0;  // against float64
};

TEST_F(LongContextTest, SlicesThenTokenByToken) {
  ASSERT_EQ(tokens, 32768);
  ASSERT_EQ(model.config().sliding_window, 512);
  constexpr int64_t kSlice = 384;  // divides neither the window nor the prompt
  model.Plan(kSlice, tokens);
  KvCache cache = model.NewCache(tokens, kSlice);
  std::vector<std::vector<float>> end;  // of the last kDecoded positions
  for (int64_t begin = 0; begin < tokens; begin += kSlice) {
    const Slice slice = At(cache, begin, kSlice);
    const auto logits = model.Forward({slice}, true);
    size_t row = 0;
    for (size_t i = 0; i < slice.tokens.size(); ++i) {
      if (!slice.wants[i]) continue;
      const int64_t position = begin + static_cast<int64_t>(i);
      if (position >= tokens - kDecoded) end.push_back(logits[row]);
      Compare(position, logits[row++]);
    }
  }
  EXPECT_EQ(compared, static_cast<int>(prompt.positions.size()));
  ASSERT_EQ(static_cast<int64_t>(end.size()), kDecoded);

  ASSERT_TRUE(cache.CanTruncate(tokens - kDecoded));
  cache.Truncate(tokens - kDecoded);
  for (int64_t i = 0; i < kDecoded; ++i) {
    const int64_t position = tokens - kDecoded + i;
    const auto logits = model.Forward({At(cache, position, 1)}, true);
    EXPECT_LE(MaxDifference(logits[0].data(), end[i].data(), prompt.logits.cols), kTolerance)
        << "position " << position;
    Compare(position, logits[0]);
  }
  EXPECT_EQ(model.arena_grown(), 0);
  EXPECT_LE(exact_worst, kTolerance);
  RecordProperty("ours_32768_tokens", std::to_string(exact_worst * 1e6f) + "e-6");
}

}  // namespace
}  // namespace gemma3n::golden
