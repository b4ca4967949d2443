// Every stage of the decoder against transformers' own, in the order of execution: a defect is
// named by the first stage that diverges, not by the logits at the end.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "tests/golden/golden_model.h"

namespace gemma3n::golden {
namespace {

std::string StageKey(std::string_view name, int layer) {
  return layer < 0 ? std::string(name) : fmt::format("layer{}/{}", layer, name);
}

// Compares what the probe hands it. `kept`: the tokens that go on once the batch has narrowed.
class StageComparer {
 public:
  StageComparer(const ExpectedPrompt& prompt, std::vector<int64_t> kept)
      : prompt_(prompt), kept_(std::move(kept)) {}

  // Valid as long as this comparer.
  Probe AsProbe() {
    return [this](std::string_view name, int layer, const ConstView& values) {
      See(name, layer, values);
    };
  }
  const std::string& first_divergence() const { return first_divergence_; }
  const std::set<std::string>& seen() const { return seen_; }

 private:
  void See(std::string_view name, int layer, const ConstView& values) {
    const std::string key = StageKey(name, layer);
    seen_.insert(key);
    if (!first_divergence_.empty()) return;
    const auto found = prompt_.stages.find(key);
    if (found == prompt_.stages.end() && key != "logits")
      return Diverge(key, "is not in the reference's dump");
    const Values& expected = key == "logits" ? prompt_.logits : found->second;
    const auto tokens = static_cast<int64_t>(prompt_.tokens.size());
    const int64_t groups = expected.rows / tokens;  // AltUp streams, one after the other
    const bool whole = values.rows == expected.rows;
    const int64_t kept = whole ? tokens : static_cast<int64_t>(kept_.size());
    if (values.cols != expected.cols || values.rows != groups * kept) {
      return Diverge(key, fmt::format("has shape [{}, {}], expected [{}, {}]", values.rows,
                                      values.cols, groups * kept, expected.cols));
    }
    for (int64_t r = 0; r < values.rows; ++r) {
      const int64_t token = whole ? r % kept : kept_[r % kept];
      CompareRow(key, token, values.row(r), expected.row(r / kept * tokens + token), values.cols);
      if (!first_divergence_.empty()) return;
    }
  }

  void CompareRow(const std::string& key, int64_t token, const float* found, const float* expected,
                  int64_t n) {
    float largest = 1;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(expected[i]));
    const float difference = MaxDifference(found, expected, n);
    if (difference <= kTolerance * largest) return;
    Diverge(key, fmt::format("differs by {:.2g} at token {} (values up to {:.2g})", difference,
                             token, largest));
  }

  void Diverge(const std::string& key, const std::string& how) {
    first_divergence_ = "stage " + key + " " + how;
  }

  const ExpectedPrompt& prompt_;
  std::vector<int64_t> kept_;
  std::string first_divergence_;
  std::set<std::string> seen_;
};

struct StagesTest : testing::TestWithParam<std::tuple<const char*, const KernelTable*>> {
  void Compare(bool all_wanted, bool prefill_skip) {
    const std::string directory = FixtureDirectory(std::get<0>(GetParam()));
    const ExpectedPrompt prompt = ReadExpected(directory + "/expected.safetensors").at(0);
    const auto tokens = static_cast<int64_t>(prompt.tokens.size());
    GoldenModel model(directory, *std::get<1>(GetParam()));
    model.Plan(tokens, tokens);
    KvCache cache = model.NewCache(tokens, tokens);
    std::vector<bool> wants(tokens, all_wanted);
    wants.back() = true;
    StageComparer comparer(prompt, {tokens - 1});
    model.Forward({{&cache, prompt.tokens, wants}}, prefill_skip, comparer.AsProbe());
    EXPECT_EQ(comparer.first_divergence(), "");
    for (const auto& [key, values] : prompt.stages) {
      EXPECT_TRUE(comparer.seen().contains(key)) << "no probe at " << key;
    }
    EXPECT_TRUE(comparer.seen().contains("logits"));
    EXPECT_EQ(model.arena_grown(), 0) << "the decoder needed more scratch memory than it planned";
  }
};

TEST_P(StagesTest, EveryRowWanted) { Compare(true, false); }
TEST_P(StagesTest, EveryRowWantedWithSkip) { Compare(true, true); }
TEST_P(StagesTest, LastRowWanted) { Compare(false, false); }
TEST_P(StagesTest, LastRowWantedWithSkip) { Compare(false, true); }

INSTANTIATE_TEST_SUITE_P(Golden, StagesTest,
                         testing::Combine(testing::ValuesIn(kFixtures),
                                          testing::ValuesIn(DistinctFloatKernels())),
                         [](const auto& fixture) {
                           return fmt::format("{}_{}", std::get<0>(fixture.param),
                                              std::get<1>(fixture.param)->name);
                         });

// The comparer must be able to fail, and must name the first of several.
TEST(StageComparerTest, NamesTheFirstDivergence) {
  ExpectedPrompt prompt;
  prompt.tokens = {2, 5};
  prompt.stages["embed"] = {2, 3, {1, 2, 3, 4, 5, 6}};
  prompt.stages["layer0/attn_norm"] = {2, 3, {1, 1, 1, 1, 1, 1}};
  StageComparer comparer(prompt, {1});
  const Probe probe = comparer.AsProbe();
  const std::vector<float> embed = {1, 2, 3, 4, 5, 6}, norm = {1, 1, 1, 1, 1, 1.1f},
                           other = {9, 9, 9, 9, 9, 9};
  probe("embed", -1, ConstView(embed.data(), 2, 3));
  EXPECT_EQ(comparer.first_divergence(), "");
  probe("attn_norm", 0, ConstView(norm.data() + 3, 1, 3));  // the kept row alone
  probe("embed", -1, ConstView(other.data(), 2, 3));
  EXPECT_THAT(comparer.first_divergence(),
              testing::StartsWith("stage layer0/attn_norm differs by 0.1 at token 1"));
}

}  // namespace
}  // namespace gemma3n::golden
