// Metadata of GGUF files: what llama.cpp's converter writes, what older files leave out, what
// contradicts itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "formats/gguf.h"
#include "model/checkpoint.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;

constexpr float kDense = -std::numeric_limits<float>::infinity();

// A file with the tensors that the config is read from, and metadata of a model of 25 layers.
struct File {
  std::map<std::string, std::function<void(GgufWriter&, const std::string&)>> pairs;
  std::vector<GgufWriter::Entry> tensors = {{"token_embd.weight", DType::kF32, {44, 8}},
                                            {"per_layer_token_embd.weight", DType::kF32, {44, 50}},
                                            {"blk.0.laurel_l.weight", DType::kF32, {3, 8}},
                                            {"altup_proj.weight", DType::kF32, {3, 8, 8}}};

  File() {
    Set("general.architecture", std::string("gemma3n"));
    Set("gemma3n.block_count", 25);
    Set("gemma3n.embedding_length", 8);
    Set("gemma3n.feed_forward_length", 16);
    Set("gemma3n.attention.head_count", 4);
    Set("gemma3n.attention.head_count_kv", 2);
    Set("gemma3n.attention.key_length", 6);
    Set("gemma3n.context_length", 64);
    Set("gemma3n.embedding_length_per_layer_input", 2);
  }
  void Set(const std::string& key, int value) {
    pairs[key] = [value](GgufWriter& w, const std::string& k) { w.AddI32(k, value); };
  }
  void Set(const std::string& key, const std::string& value) {
    pairs[key] = [value](GgufWriter& w, const std::string& k) { w.AddString(k, value); };
  }
  void Set(const std::string& key, std::vector<int32_t> value) {
    pairs[key] = [value](GgufWriter& w, const std::string& k) { w.AddI32s(k, value); };
  }
  void Set(const std::string& key, std::vector<float> value) {
    pairs[key] = [value](GgufWriter& w, const std::string& k) { w.AddF32s(k, value); };
  }
  void Set(const std::string& key, std::vector<bool> value) {
    pairs[key] = [value](GgufWriter& w, const std::string& k) { w.AddBools(k, value); };
  }
  void Tokens(std::vector<std::string> value) {
    pairs["tokenizer.ggml.tokens"] = [value](GgufWriter& w, const std::string& k) {
      w.AddStrings(k, value);
    };
  }

  std::string Write(const TempDir& dir) const {
    GgufWriter writer;
    for (const auto& [key, add] : pairs) add(writer, key);
    for (const auto& t : tensors) writer.AddTensor(t);
    EXPECT_TRUE(writer.Begin(dir / "m.gguf").ok());
    for (const auto& t : tensors) {
      int64_t n = 1;
      for (int64_t d : t.shape) n *= d;
      const std::string bytes(static_cast<size_t>(RowBytes(t.dtype, n)), '\0');
      EXPECT_TRUE(writer.Append(bytes.data(), bytes.size()).ok());
    }
    EXPECT_TRUE(writer.Commit().ok());
    return dir / "m.gguf";
  }
  Result<ModelConfig> Config() const {
    const TempDir dir;
    auto checkpoint = Checkpoint::Open(Write(dir));
    if (!checkpoint.ok()) return checkpoint.status();
    return checkpoint->config();
  }
};

TEST(GgufConfig, FallsBackOnWhatLlamaCppAssumes) {
  const auto config = File().Config();
  ASSERT_TRUE(config.ok()) << config.status().message();
  const TextConfig& c = config->text;
  EXPECT_EQ(c.num_layers, 25);
  EXPECT_EQ(c.hidden_size, 8);
  EXPECT_EQ(c.head_dim, 6);
  EXPECT_THAT(c.intermediate_size, AllOf(::testing::SizeIs(25), Each(16)));
  EXPECT_EQ(c.num_kv_shared_layers, 5);  // 20 layers own their K/V
  EXPECT_EQ(c.sliding_window, 512);
  EXPECT_EQ(c.rope_theta_full, 1e6f);
  EXPECT_EQ(c.rope_theta_sliding, 1e4f);
  EXPECT_EQ(c.rms_norm_eps, 1e-6f);
  EXPECT_EQ(c.final_logit_softcap, 30);
  EXPECT_EQ(c.altup_num_inputs, 4);
  EXPECT_EQ(c.laurel_rank, 3);
  EXPECT_EQ(c.vocab_size, 44);
  EXPECT_EQ(c.vocab_size_per_layer, 44);
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(c.sliding[i], (i + 1) % 5 != 0);
    EXPECT_EQ(c.sparsity_z[i], i < 10 ? NormalIcdf(0.95f) : 0);
  }
  EXPECT_FALSE(config->multimodal);
  EXPECT_EQ(config->bos, 2);
}

TEST(GgufConfig, ReadsWhatTheConverterWrites) {
  File file;
  std::vector<float> scales(25, kDense);
  scales[0] = 1.5f;
  std::vector<bool> sliding(25, true);
  sliding[3] = false;
  std::vector<int32_t> widths(25, 16);
  widths[4] = 32;
  file.Set("gemma3n.activation_sparsity_scale", scales);
  file.Set("gemma3n.attention.sliding_window_pattern", sliding);
  file.Set("gemma3n.attention.shared_kv_layers", 7);
  file.Set("gemma3n.feed_forward_length", widths);
  file.Set("gemma3n.attention.head_count_kv", std::vector<int32_t>(25, 2));  // a list of one number
  file.Set("gemma3n.rope.freq_base", 500000);
  std::vector<std::string> tokens(44, "x");
  tokens[1] = "<eos>";
  tokens[6] = "<end_of_turn>";
  tokens[40] = "<end_of_image>";
  tokens[41] = "<image_soft_token>";
  file.Tokens(tokens);
  file.Set("tokenizer.ggml.eos_token_id", 6);
  file.Set("tokenizer.ggml.bos_token_id", 3);
  file.Set("general.sampling.top_k", 64);
  const auto config = file.Config();
  ASSERT_TRUE(config.ok()) << config.status().message();
  const TextConfig& c = config->text;
  EXPECT_EQ(c.sparsity_z[0], 1.5f);
  EXPECT_EQ(c.sparsity_z[1], 0);
  EXPECT_EQ(c.sliding, sliding);
  EXPECT_EQ(c.num_kv_shared_layers, 7);
  EXPECT_EQ(c.intermediate_size[4], 32);
  EXPECT_EQ(c.rope_theta_full, 5e5f);
  EXPECT_EQ(c.vocab_size_per_layer, 40);  // the padding begins where the placeholders do
  EXPECT_THAT(config->end_tokens, ElementsAre(6, 1));
  EXPECT_EQ(config->bos, 3);
  EXPECT_EQ(config->tokens.image, 41);
  EXPECT_EQ(config->tokens.audio, -1);
  EXPECT_EQ(config->generation.top_k, 64);
}

TEST(GgufConfig, SplitsTheStackedMatrices) {
  const TempDir dir;
  const auto checkpoint = Checkpoint::Open(File().Write(dir));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  const auto first = checkpoint->Require("altup_projections.0.weight", {8, 8});
  const auto last = checkpoint->Require("altup_projections.2.weight", {8, 8});
  ASSERT_TRUE(first.ok() && last.ok());
  EXPECT_EQ(last->data - first->data, 2 * 8 * 8 * 4);
  EXPECT_THAT(checkpoint->Require("altup_unembed_projections.0.weight", {8, 8}).status().message(),
              HasSubstr("not in the checkpoint"));
  EXPECT_THAT(
      checkpoint->Require("layers.0.laurel.linear_left.weight", {9, 9}).status().message(),
      HasSubstr("m.gguf: tensor blk.0.laurel_l.weight: expected shape [9, 9], found [3, 8]"));
}

TEST(GgufConfig, RefusesOtherModels) {
  const auto expect = [](const std::string& key, auto value, StatusCode code,
                         const std::string& message) {
    File file;
    file.Set(key, value);
    const auto config = file.Config();
    EXPECT_EQ(config.status().code(), code) << key;
    EXPECT_THAT(config.status().message(), AllOf(HasSubstr("m.gguf"), HasSubstr(message))) << key;
  };
  constexpr auto kUnsupported = StatusCode::kUnsupported, kCorrupt = StatusCode::kCorruptFile;
  expect("general.architecture", std::string("llama"), kUnsupported,
         "expected gemma3n, found llama");
  expect("general.architecture", std::string("clip"), kUnsupported, "multimodal projector");
  expect("general.architecture", 3, kCorrupt, "general.architecture: expected a string");
  expect("split.count", 3, kUnsupported, "one of 3 parts");
  expect("gemma3n.rope.scaling.type", std::string("yarn"), kUnsupported, "found yarn");
  expect("gemma3n.block_count", 2000000, kCorrupt, "expected 1 to 1024, found 2000000");
  expect("gemma3n.block_count", std::string("25"), kCorrupt, "block_count: expected an integer");
  expect("gemma3n.attention.head_count", std::vector<int32_t>{4, 5}, kCorrupt,
         "head_count: expected an integer");
  expect("gemma3n.attention.value_length", 4, kCorrupt, "value_length: expected the same");
  expect("gemma3n.feed_forward_length", std::vector<int32_t>{16}, kCorrupt,
         "each of 25 layers, found 1");
  expect("gemma3n.attention.sliding_window_pattern", std::vector<bool>{true}, kCorrupt,
         "each of 25 layers, found 1");
  expect("gemma3n.attention.sliding_window_pattern", 0, kCorrupt,
         "a flag for each layer, or a period");
  expect("gemma3n.activation_sparsity_scale", std::vector<float>(25, NAN), kCorrupt,
         "expected a multiplier of -5.5 to 5.5, found nan");
  expect("gemma3n.activation_sparsity_scale", std::vector<float>(25, INFINITY), kCorrupt,
         "found inf");
  expect("gemma3n.activation_sparsity_scale", std::string("x"), kCorrupt, "a list of numbers");
  expect("gemma3n.attention.shared_kv_layers", 25, kCorrupt, "num_kv_shared_layers");
  expect("gemma3n.vocab_size_per_layer_input", 45, kCorrupt, "the table's 44 rows, found 45");
}

TEST(GgufConfig, NamesAMissingTensorOrAnUnknownType) {
  File file;
  file.tensors.erase(file.tensors.begin());
  EXPECT_THAT(file.Config().status().message(),
              HasSubstr("tensor token_embd.weight: not in the file"));
  const TempDir dir;
  const std::string path = File().Write(dir);
  std::string bytes = testing::ReadAll(path);
  const std::string head = testing::GgufTensor("token_embd.weight", {8, 44}, 0, 0);
  const size_t at = bytes.find(head);
  ASSERT_NE(at, std::string::npos);
  bytes[at + head.size() - 12] = 10;  // Q2_K
  dir.Write("m.gguf", bytes);
  const Status status = Checkpoint::Open(path).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("tensor token_embd.weight: ggml type 10 is not handled"));
}

TEST(GgufConfig, RefusesAStackOfAnotherHeight) {
  File file;
  file.tensors.back().shape = {2, 8, 8};
  EXPECT_THAT(file.Config().status().message(),
              HasSubstr("expected a stack of 3 matrices, found shape [2, 8, 8]"));
}

}  // namespace
}  // namespace gemma3n
