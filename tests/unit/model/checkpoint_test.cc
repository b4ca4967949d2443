#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/model/tiny_checkpoint.h"

namespace gemma3n {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::TinyModel;

TEST(TensorNames, TranslateBothWays) {
  const TinyModel model;
  size_t translated = 0;
  for (const auto& [name, shape] : model.Shapes()) {
    if (name.starts_with("altup_")) continue;  // stacked
    const auto gguf = GgufTensorName(name);
    ASSERT_TRUE(gguf) << name;
    EXPECT_EQ(HubTensorName(*gguf), name);
    ++translated;
  }
  EXPECT_EQ(translated, 5u + 24 * 4 + 21 * 2);
  EXPECT_EQ(GgufTensorName("layers.3.self_attn.q_proj.weight"), "blk.3.attn_q.weight");
  EXPECT_EQ(GgufTensorName("layers.17.altup.correct_output_scale"),
            "blk.17.altup_correct_scale.weight");
  for (const char* name :
       {"", "layers.", "layers..x", "layers.3", "layers.x.self_attn.q_proj.weight",
        "layers.3.self_attn.q_proj.bias", "vision_tower.x", "layers.99999.mlp.up_proj.weight"}) {
    EXPECT_EQ(GgufTensorName(name), std::nullopt) << name;
    EXPECT_EQ(HubTensorName(name), std::nullopt) << name;
  }
}

TEST(TensorNames, PrefixesAreTakenOff) {
  for (const char* prefix : {"model.language_model.", "language_model.model.", "model.", ""}) {
    EXPECT_EQ(StripHubPrefix(std::string(prefix) + "norm.weight"), "norm.weight");
  }
  EXPECT_EQ(StripHubPrefix("model.vision_tower.timm_model.x"), "vision_tower.timm_model.x");
  EXPECT_EQ(StripHubPrefix("language_model.lm_head.weight"), "lm_head.weight");
}

TEST(Checkpoint, OpensHubDirectoriesOfEveryPrefix) {
  for (const char* prefix : {"model.language_model.", "language_model.model.", "model."}) {
    TinyModel model;
    model.prefix = prefix;
    const TempDir dir;
    model.Write(dir);
    const auto checkpoint = Checkpoint::Open(dir.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_FALSE(checkpoint->is_gguf());
    for (const auto& [name, shape] : model.Shapes()) {
      EXPECT_TRUE(checkpoint->Require(name, shape).ok()) << name;
    }
    EXPECT_EQ(checkpoint->file_bytes(), std::filesystem::file_size(dir / "model.safetensors"));
  }
}

TEST(Checkpoint, SaysWhichTensorIsMissingOrOfAnotherShape) {
  const TempDir dir;
  TinyModel().Write(dir);
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok());
  const Status missing = checkpoint->Require("layers.9.mlp.up_proj.weight", {1, 2}).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(
      missing.message(),
      AllOf(HasSubstr(dir.path()), HasSubstr("layers.9.mlp.up_proj.weight"), HasSubstr("[1, 2]")));
  const Status shape = checkpoint->Require("norm.weight", {65}).status();
  EXPECT_EQ(shape.code(), StatusCode::kCorruptFile);
  EXPECT_THAT(shape.message(), AllOf(HasSubstr("model.safetensors: tensor model.norm.weight"),
                                     HasSubstr("expected shape [65], found [64]")));
}

TEST(Checkpoint, NamesTensorsOfForeignDtypes) {
  const TempDir dir;
  TinyModel().Write(dir);
  std::filesystem::remove(dir / "model.safetensors");
  dir.Write(
      "model.safetensors",
      testing::Safetensors(
          R"({"model.norm.weight":{"dtype":"F8_E4M3","shape":[64],"data_offsets":[0,64]}})", 64));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  const Status status = checkpoint->Require("norm.weight", {64}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("tensor model.norm.weight: stored in a dtype"));
}

TEST(Checkpoint, RefusesOneTensorUnderTwoPrefixes) {
  const TempDir dir;
  const TinyModel model;
  dir.Write("config.json", model.Config().dump());
  model.WriteTensors(dir / "model.safetensors",
                     {{"model.norm.weight", DType::kBF16, {64}},
                      {"model.language_model.norm.weight", DType::kBF16, {64}}});
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(), HasSubstr("under two prefixes"));
}

TEST(Checkpoint, SaysWhatAPathLacks) {
  const TempDir dir;
  EXPECT_EQ(Checkpoint::Open(dir / "nowhere").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("no config.json and no .gguf"));
  dir.Write("a.gguf", "x");
  dir.Write("mmproj-model.gguf", "x");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(), HasSubstr("a.gguf: magic"));
  dir.Write("b.gguf", "x");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(), HasSubstr("2 .gguf files"));
  dir.Write("model.safetensors", "x");
  EXPECT_THAT(Checkpoint::Open(dir / "model.safetensors").status().message(),
              HasSubstr("expected the directory"));
  dir.Write("config.json", R"({"model_type":"gemma3n"})");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("too short for a safetensors file"));
  dir.Write("generation_config.json", "{");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(), HasSubstr("generation_config.json"));
}

TEST(ChatTemplate, IsFoundWhereverItIsKept) {
  const TempDir dir;
  TinyModel().Write(dir);
  const auto get = [&] { return Checkpoint::Open(dir.path())->ChatTemplate(); };
  EXPECT_EQ(*get(), std::nullopt);
  dir.Write("tokenizer_config.json", R"({"bos_token":"<bos>"})");
  EXPECT_EQ(*get(), std::nullopt);
  dir.Write("tokenizer_config.json", R"({"chat_template":null})");
  EXPECT_EQ(*get(), std::nullopt);
  dir.Write("tokenizer_config.json", R"({"chat_template":"A"})");
  EXPECT_EQ(**get(), "A");
  dir.Write(
      "tokenizer_config.json",
      R"({"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]})");
  EXPECT_EQ(**get(), "D");
  dir.Write("tokenizer_config.json", R"({"chat_template":[{"name":"x","template":"X"}]})");
  EXPECT_EQ(**get(), "X");
  for (const char* bad : {R"({"chat_template":5})", R"({"chat_template":[]})",
                          R"({"chat_template":[1]})", "[]", "{"}) {
    dir.Write("tokenizer_config.json", bad);
    EXPECT_EQ(get().status().code(), StatusCode::kCorruptFile) << bad;
    EXPECT_THAT(get().status().message(), HasSubstr("tokenizer_config.json"));
  }
  dir.Write("chat_template.json", R"({"chat_template":"B"})");
  EXPECT_EQ(**get(), "B");
  dir.Write("chat_template.jinja", "C");
  EXPECT_EQ(**get(), "C");
}

}  // namespace
}  // namespace gemma3n
