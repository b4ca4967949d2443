// Logits against transformers, however the prompt is cut: slices of any size, one token at a time,
// many sequences in one batch, with and without the prefill skip, on every kernel table that this
// machine runs.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/golden/golden_model.h"

namespace gemma3n::golden {
namespace {

enum class Wanted { kAll, kSome, kLast };

bool IsWanted(Wanted wanted, int64_t position, int64_t tokens) {
  return wanted == Wanted::kAll || position + 1 == tokens ||
         (wanted == Wanted::kSome && position % 3 == 1);
}

// A prompt on its way through the model: what goes next, and how far its logits were from the
// reference's.
class PromptRun {
 public:
  PromptRun(const ExpectedPrompt& prompt, KvCache cache, Wanted wanted)
      : prompt_(prompt), cache_(std::move(cache)), wanted_(wanted) {}

  int64_t left() const { return static_cast<int64_t>(prompt_.tokens.size()) - cache_.length(); }

  Slice Next(int64_t count) {
    Slice slice{&cache_, {}, {}};
    for (int64_t p = cache_.length(); p < cache_.length() + std::min(count, left()); ++p) {
      slice.tokens.push_back(prompt_.tokens[p]);
      slice.wants.push_back(IsWanted(wanted_, p, static_cast<int64_t>(prompt_.tokens.size())));
      if (slice.wants.back()) pending_.push_back(p);
    }
    return slice;
  }

  // Takes the pending rows from the front of `logits`, beginning at `row`; returns the next run's
  // first row.
  size_t Take(const std::vector<std::vector<float>>& logits, size_t row) {
    for (const int64_t p : pending_) {
      if (row >= logits.size())
        throw std::runtime_error("fewer rows of logits than were asked for");
      const auto n = static_cast<int64_t>(logits[row].size());
      worst_ = std::max(worst_, MaxDifference(logits[row].data(), prompt_.logits.row(p), n));
      exact_worst_ =
          std::max(exact_worst_, MaxDifference(logits[row].data(), prompt_.exact_logits.row(p), n));
      ++row;
      ++compared_;
    }
    pending_.clear();
    return row;
  }

  float worst() const { return worst_; }              // against transformers
  float exact_worst() const { return exact_worst_; }  // against float64
  int compared() const { return compared_; }
  const ExpectedPrompt& prompt() const { return prompt_; }

 private:
  const ExpectedPrompt& prompt_;
  KvCache cache_;
  Wanted wanted_;
  std::vector<int64_t> pending_;
  float worst_ = 0, exact_worst_ = 0;
  int compared_ = 0;
};

struct LogitsTest : testing::TestWithParam<std::tuple<const char*, const KernelTable*>> {
  LogitsTest()
      : directory(FixtureDirectory(std::get<0>(GetParam()))),
        prompts(ReadExpected(directory + "/expected.safetensors")),
        model(directory, *std::get<1>(GetParam())) {
    for (const ExpectedPrompt& prompt : prompts) {
      longest = std::max(longest, static_cast<int64_t>(prompt.tokens.size()));
    }
    model.Plan(longest * 3, longest);
  }

  // One prompt in slices of `chunk` tokens.
  PromptRun RunPrompt(const ExpectedPrompt& prompt, int64_t chunk, Wanted wanted,
                      bool prefill_skip) {
    PromptRun run(prompt, model.NewCache(longest, chunk), wanted);
    while (run.left() > 0) {
      const auto logits = model.Forward({run.Next(chunk)}, prefill_skip);
      EXPECT_EQ(run.Take(logits, 0), logits.size());
    }
    return run;
  }

  std::string directory;
  std::vector<ExpectedPrompt> prompts;
  GoldenModel model;
  int64_t longest = 0;
};

TEST_P(LogitsTest, AnySlices) {
  for (const ExpectedPrompt& prompt : prompts) {
    for (const int64_t chunk : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{7}, longest}) {
      for (const bool skip : {false, true}) {
        for (const Wanted wanted : {Wanted::kAll, Wanted::kSome, Wanted::kLast}) {
          const PromptRun run = RunPrompt(prompt, chunk, wanted, skip);
          EXPECT_LE(run.worst(), kTolerance)
              << prompt.tokens.size() << " tokens in slices of " << chunk << ", skip " << skip
              << ", rows wanted " << static_cast<int>(wanted);
          EXPECT_GE(run.compared(), 1);
        }
      }
    }
  }
  EXPECT_EQ(model.arena_grown(), 0);
}

// Prompts longer than the window must really pass it, or the tests above say nothing of its edge.
TEST_P(LogitsTest, LongPromptPassesTheWindow) {
  EXPECT_GE(longest, 3 * model.config().sliding_window);
  EXPECT_LT(static_cast<int64_t>(prompts[0].tokens.size()), model.config().sliding_window);
}

// The skip leaves out work, never changes it: the rows it keeps have the same bits.
TEST_P(LogitsTest, SkipChangesNoBit) {
  for (const int64_t chunk : {int64_t{5}, longest}) {
    std::vector<float> last[2];
    for (const bool skip : {false, true}) {
      PromptRun run(prompts.back(), model.NewCache(longest, chunk), Wanted::kLast);
      while (run.left() > 0) {
        const auto logits = model.Forward({run.Next(chunk)}, skip);
        if (!logits.empty()) last[skip] = logits.back();
      }
    }
    EXPECT_EQ(MaxDifference(last[0].data(), last[1].data(), static_cast<int64_t>(last[0].size())),
              0);
  }
}

// Sequences of different lengths, phases and slice sizes in one ragged batch; each as if it were
// alone.
TEST_P(LogitsTest, BatchOfSequences) {
  for (const bool skip : {false, true}) {
    std::vector<PromptRun> runs;
    const int64_t steps[] = {1, 5, 2, 11};
    for (const int64_t step : steps) {
      runs.emplace_back(prompts[runs.size() % prompts.size()], model.NewCache(longest, step),
                        runs.size() == 3 ? Wanted::kSome : Wanted::kAll);
    }
    for (int forward = 0;
         std::any_of(runs.begin(), runs.end(), [](const PromptRun& r) { return r.left() > 0; });
         ++forward) {
      std::vector<Slice> slices;
      std::vector<PromptRun*> in_batch;
      for (size_t i = 0; i < runs.size(); ++i) {
        if (runs[i].left() == 0 || forward < static_cast<int>(2 * i))
          continue;  // the i-th joins late
        slices.push_back(runs[i].Next(steps[i]));
        in_batch.push_back(&runs[i]);
      }
      const auto logits = model.Forward(slices, skip);
      size_t row = 0;
      for (PromptRun* run : in_batch) row = run->Take(logits, row);
      ASSERT_EQ(row, logits.size());
    }
    for (const PromptRun& run : runs) {
      EXPECT_LE(run.worst(), kTolerance) << run.prompt().tokens.size() << " tokens, skip " << skip;
      EXPECT_GE(run.compared(), 3);
    }
  }
}

// A cache cut back and filled anew gives what a fresh one does.
TEST_P(LogitsTest, TruncatedCache) {
  const ExpectedPrompt& prompt = prompts.back();
  KvCache cache = model.NewCache(longest, longest);
  model.Forward({{&cache, prompt.tokens, std::vector<bool>(prompt.tokens.size(), false)}}, true);
  for (int64_t length = longest - 1; length >= 0 && cache.CanTruncate(length); length -= 3) {
    cache.Truncate(length);
    Slice rest{&cache, {prompt.tokens.begin() + length, prompt.tokens.end()}, {}};
    rest.wants.assign(rest.tokens.size(), true);
    const auto logits = model.Forward({rest}, true);
    for (size_t r = 0; r < logits.size(); ++r) {
      EXPECT_LE(MaxDifference(logits[r].data(), prompt.logits.row(length + static_cast<int64_t>(r)),
                              model.config().vocab_size),
                kTolerance)
          << "cut to " << length;
    }
  }
}

// Ours and the reference's distance from the exact answer, side by side; ours may be at most 2e-5
// too.
TEST_P(LogitsTest, DistanceFromFloat64) {
  for (const ExpectedPrompt& prompt : prompts) {
    const PromptRun run = RunPrompt(prompt, longest, Wanted::kAll, true);
    const float reference =
        MaxDifference(prompt.logits.data.data(), prompt.exact_logits.data.data(),
                      static_cast<int64_t>(prompt.logits.data.size()));
    const std::string tokens = fmt::format("_{}_tokens", prompt.tokens.size());
    RecordProperty("ours" + tokens, fmt::format("{:.1e}", run.exact_worst()));
    RecordProperty("transformers" + tokens, fmt::format("{:.1e}", reference));
    EXPECT_LE(run.exact_worst(), kTolerance);
    EXPECT_LE(reference, kTolerance / 2) << "the fixture is too wild to prove anything";
  }
}

// Work is cut over threads by rows of weights and tokens, so that no sum depends on their number.
TEST(ThreadsTest, ChangeNoBit) {
  const std::string directory = FixtureDirectory("odd_mixed");
  const std::vector<int32_t> tokens =
      ReadExpected(directory + "/expected.safetensors").back().tokens;
  const auto count = static_cast<int64_t>(tokens.size());
  for (const KernelTable* kernels : DistinctFloatKernels()) {
    std::vector<std::vector<float>> logits[2];
    for (const int threads : {1, 3}) {
      GoldenModel model(directory, *kernels, threads);
      model.Plan(count, count);
      KvCache cache = model.NewCache(count, count);
      logits[threads / 3] =
          model.Forward({{&cache, tokens, std::vector<bool>(tokens.size(), true)}}, true);
      EXPECT_EQ(model.arena_grown(), 0);
    }
    EXPECT_EQ(logits[0], logits[1]) << kernels->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, LogitsTest,
                         testing::Combine(testing::ValuesIn(kFixtures),
                                          testing::ValuesIn(DistinctFloatKernels())),
                         [](const auto& fixture) {
                           return fmt::format("{}_{}", std::get<0>(fixture.param),
                                              std::get<1>(fixture.param)->name);
                         });

}  // namespace
}  // namespace gemma3n::golden
