// The fixtures once more as GGUF files of our own writing: the same logits, so that the container's
// names, shapes and metadata say all that config.json and the hub's tensors do. (The text model
// alone: a GGUF has no multimodal vocabulary.)
#include "tests/golden/fixture_gguf.h"

namespace gemma3n::golden {
namespace {

struct Stored {
  const char* fixture;
  GgufType type;  // one that holds the fixture's weights exactly
};

class TextGgufTest : public testing::TestWithParam<Stored> {};

TEST_P(TextGgufTest, SameLogits) {
  const std::string directory = FixtureDirectory(GetParam().fixture);
  const FixtureGguf file(GetParam().fixture, GetParam().type);
  GoldenModel model(file.path(), *Take(ChooseKernels()));
  for (const ExpectedPrompt& prompt : ReadExpected(directory + "/expected.safetensors")) {
    const auto tokens = static_cast<int64_t>(prompt.tokens.size());
    model.Plan(tokens, tokens);
    KvCache cache = model.NewCache(tokens, tokens);
    const auto logits = model.Forward(
        {{&cache, prompt.tokens, std::vector<bool>(prompt.tokens.size(), true)}}, true);
    for (int64_t r = 0; r < tokens; ++r) {
      ASSERT_LE(MaxDifference(logits[r].data(), prompt.logits.row(r), prompt.logits.cols),
                kTolerance)
          << tokens << " tokens, position " << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden, TextGgufTest,
    testing::Values(Stored{"causal_f32", GgufType::kF32}, Stored{"sharded_f16", GgufType::kF16},
                    Stored{"sharded_f16", GgufType::kF32}, Stored{"odd_mixed", GgufType::kBF16},
                    Stored{"mini_e4b", GgufType::kBF16}, Stored{"mixed_widths", GgufType::kBF16},
                    Stored{"mixed_widths", GgufType::kF32}, Stored{"other_stream", GgufType::kF32}),
    [](const auto& stored) {
      return fmt::format("{}_{}", stored.param.fixture, Name(stored.param.type));
    });

}  // namespace
}  // namespace gemma3n::golden
