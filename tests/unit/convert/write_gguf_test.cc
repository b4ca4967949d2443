#include <limits>

#include "kernels/quantize.h"
#include "tests/unit/convert/convert_fixture.h"

namespace gemma3n {
namespace {

using ::testing::AllOf;
using testing::ConvertTest;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Values;

class WriteGgufTest : public ConvertTest {};

TEST_F(WriteGgufTest, Float32HoldsEveryValue) {
  const Checkpoint source = OpenSource();
  const auto report = Gguf(source, GgufType::kF32);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const Checkpoint written = Open(out_ / "out.gguf");
  for (const auto& [name, shape] : model_.Shapes()) {
    if (name == "embed_tokens_per_layer.weight") continue;  // padded
    ASSERT_TRUE(written.Require(name, shape).ok()) << name;
    EXPECT_EQ(Values(written, name), Values(source, name)) << name;
  }
  const TextConfig &a = source.config().text, &b = written.config().text;
  EXPECT_EQ(a.intermediate_size, b.intermediate_size);
  EXPECT_EQ(a.sliding, b.sliding);
  EXPECT_EQ(a.sparsity_z, b.sparsity_z);
  EXPECT_EQ(a.num_kv_shared_layers, b.num_kv_shared_layers);
  EXPECT_EQ(a.vocab_size_per_layer, b.vocab_size_per_layer);
  EXPECT_EQ(a.laurel_rank, b.laurel_rank);
  EXPECT_EQ(a.sliding_window, b.sliding_window);
  EXPECT_EQ(report->bytes, std::filesystem::file_size(out_ / "out.gguf"));
  EXPECT_THAT(report->dtypes, ElementsAre(std::pair("F32", report->tensors)));
}

TEST_F(WriteGgufTest, PadsThePerLayerTableWithItsFirstRow) {
  const Checkpoint source = OpenSource();
  ASSERT_TRUE(Gguf(source, GgufType::kF32).ok());
  const Checkpoint written = Open(out_ / "out.gguf");
  const StoredTensor& table = written.tensors().at("embed_tokens_per_layer.weight");
  EXPECT_THAT(table.shape, ElementsAre(model_.vocab, model_.layers * model_.per_layer_dim));
  const auto values = Values(table), stored = Values(source, "embed_tokens_per_layer.weight");
  const auto cols = static_cast<size_t>(table.shape[1]);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / cols < 40 ? i / cols : 0;
    ASSERT_EQ(values[i], stored[row * cols + i % cols]) << i;
  }
}

TEST_F(WriteGgufTest, FillsTheUnusedProjectionsOfSharedLayersWithZeros) {
  const Checkpoint source = OpenSource();
  const auto report = Gguf(source, GgufType::kQ8_0);
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(report->notes,
              ::testing::Contains(HasSubstr("key and value projections of 2 layers are zeros")));
  const Checkpoint written = Open(out_ / "out.gguf");
  for (const char* name : {"k_proj.weight", "v_proj.weight", "k_norm.weight"}) {
    for (int i : {4, 5})
      EXPECT_THAT(Values(written, fmt::format("layers.{}.self_attn.{}", i, name)), Each(0));
  }
  model_.shared_kv_tensors = true;
  const Checkpoint with_them = OpenSource();
  const auto again = Gguf(with_them, GgufType::kF32);
  EXPECT_THAT(again->notes, ::testing::Not(::testing::Contains(HasSubstr("zeros"))));
  EXPECT_EQ(Values(Open(out_ / "out.gguf"), "layers.5.self_attn.k_proj.weight"),
            Values(with_them, "layers.5.self_attn.k_proj.weight"));
}

TEST_F(WriteGgufTest, EveryRowIsTheQuantizersOwn) {
  model_.hidden = 256;
  model_.head_dim = 128;
  model_.per_layer_dim = 256;
  model_.widths = {256, 256, 512, 256, 256, 256};
  const Checkpoint source = OpenSource();
  for (GgufType type :
       {GgufType::kF16, GgufType::kBF16, GgufType::kQ8_0, GgufType::kQ4_0, GgufType::kQ4_K}) {
    const auto report = Gguf(source, type);
    ASSERT_TRUE(report.ok()) << report.status().message();
    const Checkpoint written = Open(out_ / "out.gguf");
    for (const auto& [name, shape] : model_.Shapes()) {
      const StoredTensor& tensor = written.tensors().at(name);
      const auto values = Values(source, name);
      const int64_t cols = shape.back();
      std::vector<std::byte> row(static_cast<size_t>(RowBytes(tensor.dtype, cols)));
      for (size_t r = 0; r < values.size() / static_cast<size_t>(cols); ++r) {
        QuantizeRow(tensor.dtype, values.data() + r * cols, row.data(), cols);
        ASSERT_EQ(std::memcmp(tensor.data + r * row.size(), row.data(), row.size()), 0)
            << name << " row " << r << " as " << Name(type);
      }
    }
  }
}

TEST_F(WriteGgufTest, ChoosesTypesAsLlamaCppDoes) {
  model_.hidden = 256;
  model_.head_dim = 128;
  model_.per_layer_dim = 256;
  model_.widths = std::vector<int64_t>(6, 256);
  const Checkpoint source = OpenSource();
  std::map<GgufType, Checkpoint> written;
  for (GgufType type : {GgufType::kF16, GgufType::kQ8_0, GgufType::kQ4_0, GgufType::kQ4_K}) {
    ASSERT_TRUE(Gguf(source, type, {}, Name(type)).ok());
    written.emplace(type, Open(out_ / Name(type)));
  }
  const auto dtype = [&](GgufType type, const std::string& name) {
    return std::string(Name(written.at(type).tensors().at(name).dtype));
  };
  for (GgufType type : {GgufType::kF16, GgufType::kQ8_0, GgufType::kQ4_0, GgufType::kQ4_K}) {
    for (const char* name :
         {"norm.weight", "layers.0.input_layernorm.weight", "layers.0.self_attn.q_norm.weight",
          "layers.0.altup.correct_output_scale", "layers.0.altup.prediction_coefs.weight",
          "layers.0.altup.correction_coefs.weight", "per_layer_projection_norm.weight"}) {
      EXPECT_EQ(dtype(type, name), "F32") << name;
    }
  }
  for (GgufType type : {GgufType::kQ8_0, GgufType::kQ4_0, GgufType::kQ4_K}) {
    for (const char* name :
         {"altup_projections.0.weight", "altup_unembed_projections.2.weight",
          "layers.0.laurel.linear_left.weight", "layers.0.altup.modality_router.weight",
          "per_layer_model_projection.weight"}) {
      EXPECT_EQ(dtype(type, name), "BF16") << name;
    }
  }
  EXPECT_EQ(dtype(GgufType::kQ8_0, "embed_tokens.weight"), "Q8_0");
  EXPECT_EQ(dtype(GgufType::kQ4_0, "embed_tokens.weight"), "Q6_K");
  EXPECT_EQ(dtype(GgufType::kQ4_0, "embed_tokens_per_layer.weight"), "Q4_0");
  EXPECT_EQ(dtype(GgufType::kQ4_K, "embed_tokens.weight"), "Q6_K");
  EXPECT_EQ(dtype(GgufType::kQ4_K, "embed_tokens_per_layer.weight"), "Q4_K");
  EXPECT_EQ(dtype(GgufType::kQ4_K, "layers.5.mlp.down_proj.weight"), "Q6_K");
  EXPECT_EQ(dtype(GgufType::kQ4_K, "layers.3.mlp.down_proj.weight"), "Q4_K");
  EXPECT_EQ(dtype(GgufType::kF16, "altup_projections.0.weight"), "F16");
}

TEST_F(WriteGgufTest, RowsThatFillNoBlockFallBackAndAreReported) {
  const Checkpoint source = OpenSource();  // 64 and 96 wide: no multiple of 256
  const auto report = Gguf(source, GgufType::kQ4_K);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(Open(out_ / "out.gguf").tensors().at("layers.0.mlp.down_proj.weight").dtype,
            DType::kQ8_0);
  EXPECT_THAT(report->notes,
              ::testing::Contains(HasSubstr("are Q8_0: their rows do not fill whole blocks")));
  model_.widths = std::vector<int64_t>(6, 50);
  const auto odd = Gguf(OpenSource(), GgufType::kQ4_0);
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(Open(out_ / "out.gguf").tensors().at("layers.0.mlp.down_proj.weight").dtype,
            DType::kBF16);
}

TEST_F(WriteGgufTest, TheVocabularyHasAPieceForEveryRow) {
  const Checkpoint source = OpenSource();
  source_.Write("chat_template.jinja", "{{ x }}");
  ASSERT_TRUE(Gguf(source, GgufType::kF32).ok());
  const Checkpoint written = Open(out_ / "out.gguf");
  const GgufFile& file = *written.gguf();
  EXPECT_EQ(file.GetStrings("tokenizer.ggml.tokens")->size(), 48u);
  EXPECT_EQ(file.GetInts("tokenizer.ggml.token_type")->size(), 48u);
  EXPECT_EQ(file.GetFloats("tokenizer.ggml.scores")->size(), 48u);
  EXPECT_EQ(file.GetString("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(file.GetBool("tokenizer.ggml.add_space_prefix"), false);
  EXPECT_EQ(file.GetBool("tokenizer.ggml.add_bos_token"), true);
  EXPECT_EQ(file.GetInt("tokenizer.ggml.bos_token_id"), 2);
  EXPECT_EQ(file.GetString("general.architecture"), "gemma3n");
  EXPECT_EQ(**written.ChatTemplate(), "{{ x }}");
}

TEST_F(WriteGgufTest, SlotsWithoutAPieceArePaddedAndSpaceRunsSpelledPlainly) {
  const Tokenizer tokenizer = testing::SomeTokenizer();
  const auto pieces = static_cast<int64_t>(tokenizer.pieces().size());
  model_.vocab = pieces + 3;
  const Checkpoint source = OpenSource();
  ASSERT_TRUE(Gguf(source, GgufType::kQ8_0).ok());
  const Checkpoint written = Open(out_ / "out.gguf");
  const auto& tokens = *written.gguf()->GetStrings("tokenizer.ggml.tokens");
  const auto types = *written.gguf()->GetInts("tokenizer.ggml.token_type");
  EXPECT_EQ(tokens.back(), fmt::format("[PAD{}]", pieces + 2));
  EXPECT_EQ(types.back(), static_cast<int64_t>(PieceType::kUnused));
  for (int64_t i = 0; i < pieces; ++i) {
    const auto& piece = tokenizer.pieces()[i];
    if (piece.text.empty()) continue;
    EXPECT_EQ(types[i], static_cast<int64_t>(piece.type)) << i;
    if (piece.type == PieceType::kUserDefined) {
      EXPECT_EQ(tokens[i].find("\xE2\x96\x81"), std::string::npos) << i;
    } else {
      EXPECT_EQ(tokens[i], piece.text) << i;
    }
  }
}

TEST_F(WriteGgufTest, WritesOnesForAScaleThatIsNotApplied) {
  model_.Write(source_);
  nlohmann::json config = model_.Config();
  config["altup_correct_scale"] = false;
  source_.Write("config.json", config.dump());
  ASSERT_TRUE(Gguf(Open(source_.path()), GgufType::kF32).ok());
  EXPECT_THAT(Values(Open(out_ / "out.gguf"), "layers.2.altup.correct_output_scale"), Each(1));
}

TEST_F(WriteGgufTest, CopiesAGgufSourcesMetadataAndBlocks) {
  ASSERT_TRUE(Gguf(OpenSource(), GgufType::kQ8_0).ok());
  const Checkpoint first = Open(out_ / "out.gguf");
  const auto report =
      WriteGguf(first, nullptr, {}, GgufType::kQ8_0, out_ / "second.gguf", options_);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const Checkpoint second = Open(out_ / "second.gguf");
  for (const auto& [key, value] : first.gguf()->metadata()) {
    EXPECT_EQ(second.gguf()->GetRaw(key), first.gguf()->GetRaw(key)) << key;
  }
  EXPECT_EQ(first.gguf()->metadata().size(), second.gguf()->metadata().size());
  for (const auto& [name, a] : first.tensors()) {
    const StoredTensor& b = second.tensors().at(name);
    ASSERT_EQ(a.bytes, b.bytes) << name;
    EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes), 0) << name;
  }
}

TEST_F(WriteGgufTest, RefusesValuesThatTheTypeCannotStore) {
  model_.dtype = DType::kF32;
  const Checkpoint source = OpenSource();
  const StoredTensor& tensor = source.tensors().at("layers.3.mlp.up_proj.weight");
  const auto at = static_cast<size_t>(tensor.data - source.tensors().begin()->second.data);
  const std::string path = source_ / "model.safetensors";
  std::string bytes = testing::ReadAll(path);
  const size_t offset = bytes.find(std::string(reinterpret_cast<const char*>(tensor.data), 64));
  ASSERT_NE(offset, std::string::npos) << at;
  const auto with = [&](float value) {
    std::memcpy(bytes.data() + offset + 40, &value, 4);
    source_.Write("model.safetensors", bytes);
    return Open(source_.path());
  };
  const float inf = std::numeric_limits<float>::infinity();
  for (float bad : {inf, -inf, std::numeric_limits<float>::quiet_NaN(), 1e5f}) {
    const Checkpoint broken = with(bad);
    for (GgufType type : {GgufType::kF32, GgufType::kF16, GgufType::kQ8_0, GgufType::kQ4_0}) {
      if (bad == 1e5f && type == GgufType::kF32) continue;
      const auto report = Gguf(broken, type);
      EXPECT_EQ(report.status().code(), StatusCode::kUnsupported) << bad << Name(type);
      EXPECT_THAT(report.status().message(),
                  AllOf(HasSubstr(source_.path()), HasSubstr("tensor blk.3.ffn_up.weight: holds")));
    }
  }
  EXPECT_EQ(out_.Count(), 0u);
  EXPECT_TRUE(Gguf(with(1e5f), GgufType::kBF16).ok());
}

TEST_F(WriteGgufTest, ReportsProgressAndCanBeCancelled) {
  const Checkpoint source = OpenSource();
  double last = 0;
  options_.on_progress = [&](double fraction) {
    EXPECT_GE(fraction, last);
    EXPECT_LE(fraction, 1);
    last = fraction;
    return true;
  };
  ASSERT_TRUE(Gguf(source, GgufType::kQ4_0).ok());
  EXPECT_EQ(last, 1);
  int calls = 0;
  options_.on_progress = [&](double) { return ++calls < 5; };
  EXPECT_EQ(Gguf(source, GgufType::kQ4_0, {}, "cancelled.gguf").status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(out_.Count(), 1u);
}

TEST_F(WriteGgufTest, NeedsATokenizerAndEveryTensor) {
  const Checkpoint source = OpenSource();
  EXPECT_EQ(WriteGguf(source, nullptr, {}, GgufType::kF32, out_ / "x", options_).status().code(),
            StatusCode::kInvalidArgument);
  nlohmann::json config = model_.Config();
  config["intermediate_size"] = std::vector<int>(6, 32);
  source_.Write("config.json", config.dump());
  const auto report = Gguf(Open(source_.path()), GgufType::kF32);
  EXPECT_EQ(report.status().code(), StatusCode::kCorruptFile);
  EXPECT_THAT(report.status().message(),
              HasSubstr("layers.0.mlp.gate_proj.weight: expected shape [32, 64]"));
  EXPECT_EQ(out_.Count(), 0u);
}

TEST(GgufTypeNames, AreReadInEitherCase) {
  EXPECT_EQ(GgufTypeFromName("q4_k_m"), GgufType::kQ4_K);
  for (GgufType type : {GgufType::kF32, GgufType::kF16, GgufType::kBF16, GgufType::kQ8_0,
                        GgufType::kQ4_0, GgufType::kQ4_K}) {
    EXPECT_EQ(GgufTypeFromName(Name(type)), type);
  }
  EXPECT_EQ(GgufTypeFromName("Q3_K"), std::nullopt);
}

}  // namespace
}  // namespace gemma3n
