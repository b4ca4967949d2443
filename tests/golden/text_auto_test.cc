// What users run: --precision auto with its F16 cache, on every kernel table that this machine has.
// How far the logits are from the reference's says whether a table rounds as docs/KERNELS.md has
// it: nearly nothing in steps of a few rows, a few bits of bfloat16 or int8 in a prompt, where the
// gates near their cut fall on the other side of it now and then.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "convert/convert.h"
#include "kernels/few_rows.h"
#include "tests/golden/golden_model.h"

namespace gemma3n::golden {
namespace {

struct Stored {
  const char* fixture;
  std::optional<GgufType> type;  // as the fixture is, or as a GGUF file of this type
};

// Of the error's root mean square over the logits'.
constexpr double kFewBound = 1e-3, kManyBound = 0.035;

class TextAutoTest : public testing::TestWithParam<std::tuple<Stored, const KernelTable*>> {
 protected:
  void SetUp() override {
    const Stored& stored = std::get<0>(GetParam());
    path_ = FixtureDirectory(stored.fixture);
    prompts_ = ReadExpected(path_ + "/expected.safetensors");
    if (!stored.type) return;
    const Tokenizer tokenizer = Take(
        Tokenizer::Open(std::string(GEMMA3N_SOURCE_DIR) + "/tests/unit/tokenizer/data/tiny.model"));
    const Checkpoint checkpoint = Take(Checkpoint::Open(path_));
    written_ = path_ =
        std::filesystem::temp_directory_path() /
        fmt::format("gemma3n_auto_{}_{}_{}.gguf", stored.fixture, Name(*stored.type), getpid());
    Take(WriteGguf(checkpoint, &tokenizer, {}, *stored.type, path_));
  }
  void TearDown() override { std::filesystem::remove(written_); }

  // All logits of a prompt whose tokens come `slice` at a time.
  std::vector<std::vector<float>> Logits(const ExpectedPrompt& prompt, int64_t slice,
                                         Precision precision) {
    const auto count = static_cast<int64_t>(prompt.tokens.size());
    GoldenModel model(path_, *std::get<1>(GetParam()), 2, precision);
    model.Plan(slice, count);
    KvCache cache =
        model.NewCache(count, slice, precision == Precision::kAuto ? DType::kF16 : DType::kF32);
    std::vector<std::vector<float>> logits;
    for (int64_t p = 0; p < count; p += slice) {
      Slice next{&cache, {}, {}};
      for (int64_t i = p; i < std::min(p + slice, count); ++i)
        next.tokens.push_back(prompt.tokens[i]);
      next.wants.assign(next.tokens.size(), true);
      for (auto& row : model.Forward({next}, true)) logits.push_back(std::move(row));
    }
    return logits;
  }

  std::string path_;
  std::filesystem::path written_;
  std::vector<ExpectedPrompt> prompts_;
};

TEST_P(TextAutoTest, NearTheReference) {
  const Stored& stored = std::get<0>(GetParam());
  const ExpectedPrompt& prompt = prompts_.back();
  const auto count = static_cast<int64_t>(prompt.tokens.size());
  const auto exact = Logits(prompt, count, Precision::kFloat32);
  for (const int64_t slice : {int64_t{1}, int64_t{4}, int64_t{12}, count}) {
    const auto logits = Logits(prompt, slice, Precision::kAuto);
    ASSERT_EQ(logits.size(), prompt.tokens.size());
    double error = 0, norm = 0;
    for (size_t p = 0; p < logits.size(); ++p) {
      const float* wanted =
          stored.type ? exact[p].data() : prompt.logits.row(static_cast<int64_t>(p));
      for (size_t i = 0; i < logits[p].size(); ++i) {
        const double d = static_cast<double>(logits[p][i]) - static_cast<double>(wanted[i]);
        error += d * d;
        norm += static_cast<double>(wanted[i]) * static_cast<double>(wanted[i]);
      }
    }
    const double relative = std::sqrt(error / norm);
    RecordProperty(fmt::format("error_in_slices_of_{}", slice), fmt::format("{:.1e}", relative));
    EXPECT_LE(relative, slice <= kFewRows ? kFewBound : kManyBound)
        << count << " tokens in slices of " << slice;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden, TextAutoTest,
    testing::Combine(testing::Values(Stored{"causal_f32", {}}, Stored{"hub_bf16", {}},
                                     Stored{"sharded_f16", {}}, Stored{"odd_mixed", {}},
                                     Stored{"mini_e4b", {}}, Stored{"mixed_widths", {}},
                                     Stored{"mini_e4b", GgufType::kQ8_0},
                                     Stored{"mini_e4b", GgufType::kQ4_0},
                                     Stored{"mixed_widths", GgufType::kQ8_0},
                                     Stored{"mixed_widths", GgufType::kQ4_0}),
                     testing::ValuesIn(AvailableKernels())),
    [](const auto& info) {
      const Stored& stored = std::get<0>(info.param);
      return fmt::format("{}_{}_{}", stored.fixture,
                         stored.type ? Name(*stored.type) : std::string_view("stored"),
                         std::get<1>(info.param)->name);
    });

}  // namespace
}  // namespace gemma3n::golden
