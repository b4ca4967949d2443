#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/convert/convert_fixture.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using testing::ConvertTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::Values;

class WriteHubTest : public ConvertTest {
 protected:
  Result<ConvertReport> Hub(const Checkpoint& checkpoint, const ModelSize& size,
                            const std::string& name = "out") {
    return WriteHub(checkpoint, size, out_ / name, options_);
  }
};

// Layers 1 and 4 left out, the others' widths cut.
const ModelSize kSize = {.mlp_widths = {96, 32, 64, 32}, .skip_layers = {1, 4}};

TEST_F(WriteHubTest, SlicesEveryTensor) {
  const Checkpoint source = OpenSource();
  const auto report = Hub(source, kSize);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const Checkpoint sliced = Open(out_ / "out");
  const TextConfig& c = sliced.config().text;
  EXPECT_EQ(c.num_layers, 4);
  EXPECT_EQ(c.num_kv_shared_layers, 1);
  EXPECT_THAT(c.intermediate_size, ElementsAre(96, 32, 64, 32));
  EXPECT_THAT(c.sliding, ElementsAre(true, true, false, false));
  const int kept[] = {0, 2, 3, 5};
  const auto p = static_cast<size_t>(model_.per_layer_dim), d = static_cast<size_t>(model_.hidden);
  for (size_t i = 0; i < 4; ++i) {
    const std::string to = fmt::format("layers.{}.", i), from = fmt::format("layers.{}.", kept[i]);
    for (const char* same :
         {"self_attn.q_proj.weight", "altup.router_norm.weight", "laurel.linear_left.weight"}) {
      EXPECT_EQ(Values(sliced, to + same), Values(source, from + same));
    }
    const auto width = static_cast<size_t>(c.intermediate_size[i]);
    const auto wide = static_cast<size_t>(model_.widths[static_cast<size_t>(kept[i])]);
    auto gate = Values(source, from + "mlp.gate_proj.weight");
    gate.resize(width * d);
    EXPECT_EQ(Values(sliced, to + "mlp.gate_proj.weight"), gate);
    const auto down = Values(source, from + "mlp.down_proj.weight");
    const auto cut = Values(sliced, to + "mlp.down_proj.weight");
    ASSERT_EQ(cut.size(), d * width);
    for (size_t j = 0; j < cut.size(); ++j) ASSERT_EQ(cut[j], down[j / width * wide + j % width]);
    // The layer's own columns of the per-layer table, and rows of the projection into it.
    const auto table = Values(source, "embed_tokens_per_layer.weight");
    const auto new_table = Values(sliced, "embed_tokens_per_layer.weight");
    const auto projection = Values(source, "per_layer_model_projection.weight");
    const auto new_projection = Values(sliced, "per_layer_model_projection.weight");
    const auto from_layer = static_cast<size_t>(kept[i]);
    for (size_t row = 0; row < 40; ++row) {
      for (size_t k = 0; k < p; ++k) {
        ASSERT_EQ(new_table[row * 4 * p + i * p + k], table[row * 6 * p + from_layer * p + k]);
      }
    }
    for (size_t k = 0; k < p * d; ++k)
      ASSERT_EQ(new_projection[i * p * d + k], projection[from_layer * p * d + k]);
  }
  EXPECT_EQ(Values(sliced, "altup_projections.2.weight"),
            Values(source, "altup_projections.2.weight"));
}

TEST_F(WriteHubTest, ASlicedGgufIsTheGgufOfTheSlice) {
  const Checkpoint source = OpenSource();
  ASSERT_TRUE(Hub(source, kSize).ok());
  for (GgufType type : {GgufType::kBF16, GgufType::kQ8_0}) {
    ASSERT_TRUE(Gguf(source, type, kSize, "direct.gguf").ok());
    ASSERT_TRUE(Gguf(Open(out_ / "out"), type, {}, "through.gguf").ok());
    const Checkpoint a = Open(out_ / "direct.gguf"), b = Open(out_ / "through.gguf");
    ASSERT_EQ(a.tensors().size(), b.tensors().size());
    for (const auto& [name, tensor] : a.tensors()) {
      EXPECT_EQ(Values(tensor), Values(b, name)) << name;
    }
    EXPECT_EQ(a.config().text.intermediate_size, b.config().text.intermediate_size);
  }
}

TEST_F(WriteHubTest, QuantisedTensorsBecomeExactFloats) {
  ASSERT_TRUE(Gguf(OpenSource(), GgufType::kQ8_0).ok());
  const Checkpoint gguf = Open(out_ / "out.gguf");
  const auto report = Hub(gguf, {.mlp_widths = {32}, .skip_layers = {}});
  ASSERT_TRUE(report.ok()) << report.status().message();
  const Checkpoint sliced = Open(out_ / "out");
  EXPECT_FALSE(sliced.config().multimodal);
  EXPECT_EQ(sliced.tensors().at("layers.0.mlp.up_proj.weight").dtype, DType::kF32);
  auto up = Values(gguf, "layers.0.mlp.up_proj.weight");
  up.resize(32 * 64);
  EXPECT_EQ(Values(sliced, "layers.0.mlp.up_proj.weight"), up);
}

TEST_F(WriteHubTest, AGgufsTokenizerBecomesASentencePieceModel) {
  const Tokenizer tokenizer = testing::SomeTokenizer();
  model_.vocab = static_cast<int64_t>(tokenizer.pieces().size()) + 2;
  source_.Write("chat_template.jinja", "{{ \"x\" }}");
  source_.Write(
      "generation_config.json",
      R"({"eos_token_id":[1,15],"do_sample":true,"temperature":0.7,"top_p":0.95,"top_k":64})");
  ASSERT_TRUE(Gguf(OpenSource(), GgufType::kBF16).ok());
  ASSERT_TRUE(Hub(Open(out_ / "out.gguf"), {}).ok());
  const auto written = Tokenizer::Open(out_ / "out");
  ASSERT_TRUE(written.ok()) << written.status().message();
  for (size_t i = 0; i < tokenizer.pieces().size(); ++i) {
    if (tokenizer.pieces()[i].text.empty()) continue;
    EXPECT_EQ(written->pieces()[i].text, tokenizer.pieces()[i].text) << i;
    EXPECT_EQ(written->pieces()[i].type, tokenizer.pieces()[i].type) << i;
  }
  for (const char* text :
       {"Hello  world", "a\n\n\nb     c", "caf\xC3\xA9 \xF0\x9F\x98\x80", "   "}) {
    EXPECT_EQ(written->Encode(text), tokenizer.Encode(text)) << text;
  }
  EXPECT_EQ(written->bos(), tokenizer.bos());
  const Checkpoint hub = Open(out_ / "out");
  EXPECT_EQ(**hub.ChatTemplate(), "{{ \"x\" }}");
  EXPECT_THAT(hub.config().end_tokens, ElementsAre(1, 15));
  EXPECT_EQ(hub.config().generation.temperature, 0.7f);
  EXPECT_EQ(hub.config().generation.top_k, 64);
}

TEST_F(WriteHubTest, WidthsMustBeWholeBlocks) {
  ASSERT_TRUE(Gguf(OpenSource(), GgufType::kQ8_0).ok());
  const auto report = Hub(Open(out_ / "out.gguf"), {.mlp_widths = {48}, .skip_layers = {}});
  EXPECT_EQ(report.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(report.status().message(), HasSubstr("found 48"));
  EXPECT_FALSE(FileExists(out_ / "out"));
}

TEST_F(WriteHubTest, KeepsTheRestOfAMultimodalCheckpoint) {
  model_.multimodal = true;
  model_.prefix = "model.language_model.";
  for (const char* name : {"tokenizer.model", "tokenizer_config.json", "generation_config.json",
                           "preprocessor_config.json", "chat_template.jinja"}) {
    const bool is_read = std::string(name) == "generation_config.json" ||
                         std::string(name) == "preprocessor_config.json";
    source_.Write(name, is_read ? "{ }" : name);
  }
  source_.Write("README.md", "not copied");
  const Checkpoint source = OpenSource();
  const auto report = Hub(source, kSize);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const json config = json::parse(testing::ReadAll(out_ / "out/config.json"));
  EXPECT_EQ(config["unknown_field"], "kept");
  EXPECT_EQ(config["text_config"]["num_hidden_layers"], 4);
  EXPECT_EQ(config["text_config"]["laurel_rank"], 32);
  EXPECT_EQ(testing::ReadAll(out_ / "out/preprocessor_config.json"), "{ }");
  EXPECT_EQ(testing::ReadAll(out_ / "out/tokenizer.model"), "tokenizer.model");
  EXPECT_FALSE(FileExists(out_ / "out/README.md"));
  const auto file = SafetensorsFile::Open(out_ / "out/model.safetensors");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->tensors().contains("model.language_model.norm.weight"));
  EXPECT_THAT(file->tensors().at("model.vision_tower.timm_model.conv.weight").shape,
              ElementsAre(2, 3, 3, 3));
  const Checkpoint sliced = Open(out_ / "out");
  for (const char* name :
       {"vision_tower.timm_model.conv.weight", "audio_tower.conformer.0.norm.weight",
        "embed_vision.embedding.weight"}) {
    EXPECT_EQ(Values(sliced, name), Values(source, name));
  }
}

TEST_F(WriteHubTest, CutsLargeFilesIntoShards) {
  const Checkpoint source = OpenSource();
  options_.shard_bytes = 100000;
  const auto report = Hub(source, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  const json index = json::parse(testing::ReadAll(out_ / "out/model.safetensors.index.json"));
  uint64_t total = 0;
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) shards.insert(shard);
  for (const std::string& shard : shards) {
    const auto file = SafetensorsFile::Open(out_ / ("out/" + shard));
    ASSERT_TRUE(file.ok());
    uint64_t bytes = 0;
    for (const auto& [name, tensor] : file->tensors()) bytes += tensor.bytes;
    EXPECT_TRUE(bytes <= 100000 || file->tensors().size() == 1) << shard;
    total += bytes;
  }
  EXPECT_GT(shards.size(), 3u);
  EXPECT_EQ(index["metadata"]["total_size"], total);
  const Checkpoint written = Open(out_ / "out");
  for (const auto& [name, tensor] : source.tensors())
    EXPECT_EQ(Values(written, name), Values(tensor)) << name;
}

TEST_F(WriteHubTest, RefusesADirectoryThatHoldsSomething) {
  const Checkpoint source = OpenSource();
  EXPECT_THAT(WriteHub(source, {}, source_.path()).status().message(), HasSubstr("not empty"));
  EXPECT_THAT(WriteHub(source, {}, source_ / "config.json").status().message(),
              HasSubstr("expected a new directory"));
  EXPECT_EQ(WriteHub(source, {}, out_.path()).status().code(), StatusCode::kOk);  // empty is fine
  EXPECT_THAT(WriteHub(source, {}, source_ / "config.json/sub").status().message(),
              HasSubstr("cannot create it"));
}

TEST_F(WriteHubTest, AFailureLeavesTheDirectoryAsItWas) {
  const Checkpoint source = OpenSource();
  int calls = 0;
  options_.on_progress = [&](double) { return ++calls < 40; };
  options_.shard_bytes = 50000;
  EXPECT_EQ(Hub(source, {}).status().code(), StatusCode::kCancelled);
  EXPECT_FALSE(FileExists(out_ / "out"));
  calls = 0;
  std::filesystem::create_directory(out_ / "empty");
  EXPECT_EQ(Hub(source, {}, "empty").status().code(), StatusCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(out_ / "empty"));
}

// A file-size limit stands in for a full disk: writes fail half way.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(WriteHubTest, AFullDiskGivesOneSentenceAndLeavesNothing) {
  model_.vocab = 4000;
  model_.per_layer_vocab = 4000;  // larger than the writers' buffers
  const Checkpoint source = OpenSource();
  for (rlim_t limit : {rlim_t{10}, rlim_t{1} << 20, rlim_t{2} << 20}) {
    const SmallFiles small(limit);
    const auto gguf = Gguf(source, GgufType::kBF16);
    ASSERT_FALSE(gguf.ok());
    EXPECT_THAT(gguf.status().message(), HasSubstr("out.gguf: cannot write it"));
    const auto hub = Hub(source, {});
    ASSERT_FALSE(hub.ok());
    EXPECT_THAT(hub.status().message(), HasSubstr("cannot write it"));
  }
  EXPECT_EQ(out_.Count(), 0u);
}

TEST_F(WriteHubTest, AnOldFileSurvivesAFailedRewrite) {
  const Checkpoint source = OpenSource();
  ASSERT_TRUE(Gguf(source, GgufType::kQ8_0).ok());
  const std::string before = testing::ReadAll(out_ / "out.gguf");
  options_.on_progress = [](double) { return false; };
  EXPECT_FALSE(Gguf(source, GgufType::kF32).ok());
  EXPECT_EQ(testing::ReadAll(out_ / "out.gguf"), before);
  EXPECT_EQ(out_.Count(), 1u);
}

}  // namespace
}  // namespace gemma3n
