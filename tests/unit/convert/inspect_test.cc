#include "convert/inspect.h"

#include "tests/unit/convert/convert_fixture.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using testing::ConvertTest;
using ::testing::HasSubstr;

class InspectTest : public ConvertTest {};

TEST_F(InspectTest, CountsWhatAHubDirectoryHolds) {
  model_.multimodal = true;
  model_.prefix = "model.language_model.";
  model_.shared_kv_tensors = true;
  const Checkpoint source = OpenSource();
  const Tokenizer tokenizer = testing::SomeTokenizer();
  const auto i = Inspect(source, &tokenizer);
  ASSERT_TRUE(i.ok());
  EXPECT_EQ(i->format, "hub");
  EXPECT_EQ(i->architecture, "Gemma3nForConditionalGeneration");
  EXPECT_EQ(i->missing, "");
  EXPECT_EQ(i->dtypes.at("BF16").tensors, static_cast<int64_t>(source.tensors().size()));
  EXPECT_EQ(i->vision.tensors, 2);
  EXPECT_EQ(i->audio.tensors, 1);
  EXPECT_EQ(i->unused.tensors, 6);
  EXPECT_EQ(i->other.tensors, 0);
  EXPECT_EQ(i->per_layer_table.bytes, 40u * 6 * 32 * 2);
  EXPECT_EQ(i->mapped_only, i->per_layer_table.bytes);
  uint64_t all = 0;
  for (const auto& [name, tensor] : source.tensors()) all += tensor.bytes;
  EXPECT_EQ(
      i->text.bytes + i->vision.bytes + i->audio.bytes + i->unused.bytes + i->per_layer_table.bytes,
      all);
  EXPECT_EQ(i->tokenizer_pieces, tokenizer.vocab_size());
  EXPECT_EQ(i->kv_bytes_per_token, 2u * 2 * 32 * 2);  // layers 1 and 3
  EXPECT_EQ(i->KvBytes(100) - i->KvBytes(99),
            i->kv_bytes_per_token + 2u * 2 * 32 * 2);  // windows not yet full
  EXPECT_EQ(i->KvBytes(100000) - i->KvBytes(99999), i->kv_bytes_per_token);
}

TEST_F(InspectTest, SaysWhatIsMissing) {
  OpenSource();
  model_.WriteTensors(source_ / "model.safetensors", {{"model.norm.weight", DType::kBF16, {64}}});
  const auto i = Inspect(Open(source_.path()), nullptr);
  ASSERT_TRUE(i.ok());
  EXPECT_THAT(i->missing, HasSubstr("embed_tokens.weight: not in the checkpoint"));
  EXPECT_EQ(i->tokenizer_pieces, std::nullopt);
}

TEST_F(InspectTest, RendersForPeopleAndPrograms) {
  ASSERT_TRUE(Gguf(OpenSource(), GgufType::kQ8_0).ok());
  const auto i = Inspect(Open(out_ / "out.gguf"), nullptr);
  ASSERT_TRUE(i.ok());
  EXPECT_THAT(InspectionText(*i),
              AllOf(HasSubstr("gguf, gemma3n"), HasSubstr("96 x 2, 64 x 1, 96 x 2, 64 x 1"),
                    HasSubstr("Q8_0"), HasSubstr("3 sliding, 3 full")));
  const json document = json::parse(InspectionJson(*i));
  EXPECT_EQ(document["layers"], 6);
  EXPECT_EQ(document["mlp_widths"], json({96, 96, 64, 96, 96, 64}));
  EXPECT_EQ(document["memory"]["resident_weights"], i->resident_weights);
  EXPECT_EQ(document["missing"], nullptr);
  EXPECT_EQ(document["unused_kv"]["tensors"], 6);
}

}  // namespace
}  // namespace gemma3n
