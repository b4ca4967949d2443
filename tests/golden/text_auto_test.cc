// What users run: --precision auto with its F16 cache, on every kernel table that this machine has.
// How far the logits are from the reference's says whether a table rounds as docs/KERNELS.md has
// it: nearly nothing in steps of a few rows, a few bits of bfloat16 or int8 in a prompt, where the
// gates near their cut fall on the other side of it now and then.
#include "kernels/few_rows.h"
#include "tests/golden/fixture_gguf.h"

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
  TextAutoTest() {
    const Stored& stored = std::get<0>(GetParam());
    path_ = FixtureDirectory(stored.fixture);
    prompt_ = ReadExpected(path_ + "/expected.safetensors").back();
    if (stored.type) path_ = gguf_.emplace(stored.fixture, *stored.type).path();
  }

  // All logits of the prompt, whose tokens come `slice` at a time.
  std::vector<std::vector<float>> Logits(int64_t slice, Precision precision) {
    const auto count = static_cast<int64_t>(prompt_.tokens.size());
    GoldenModel model(path_, *std::get<1>(GetParam()), 2, precision);
    model.Plan(slice, count);
    KvCache cache =
        model.NewCache(count, slice, precision == Precision::kAuto ? DType::kF16 : DType::kF32);
    std::vector<std::vector<float>> logits;
    for (int64_t p = 0; p < count; p += slice) {
      Slice next{&cache, {}, {}};
      for (int64_t i = p; i < std::min(p + slice, count); ++i)
        next.tokens.push_back(prompt_.tokens[i]);
      next.wants.assign(next.tokens.size(), true);
      for (auto& row : model.Forward({next}, true)) logits.push_back(std::move(row));
    }
    return logits;
  }

  std::optional<FixtureGguf> gguf_;
  std::string path_;
  ExpectedPrompt prompt_;
};

TEST_P(TextAutoTest, NearTheReference) {
  const Stored& stored = std::get<0>(GetParam());
  const auto count = static_cast<int64_t>(prompt_.tokens.size());
  std::vector<std::vector<float>> exact;  // on the same file, where the reference has none of it
  if (stored.type) exact = Logits(count, Precision::kFloat32);
  for (const int64_t slice : {int64_t{1}, int64_t{4}, int64_t{12}, count}) {
    const auto logits = Logits(slice, Precision::kAuto);
    ASSERT_EQ(logits.size(), prompt_.tokens.size());
    double error = 0, norm = 0;
    for (size_t p = 0; p < logits.size(); ++p) {
      const float* wanted =
          stored.type ? exact[p].data() : prompt_.logits.row(static_cast<int64_t>(p));
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
    [](const auto& given) {
      const Stored& stored = std::get<0>(given.param);
      return fmt::format("{}_{}_{}", stored.fixture,
                         stored.type ? Name(*stored.type) : std::string_view("stored"),
                         std::get<1>(given.param)->name);
    });

}  // namespace
}  // namespace gemma3n::golden
