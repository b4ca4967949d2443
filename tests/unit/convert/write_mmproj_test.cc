#include "convert/convert.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "convert_fixture.h"
#include "model/mmproj.h"
#include "model/vision/vision_tower.h"
#include "tests/unit/model/hashed_checkpoint.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;

// A tower of a tenth of the width, whose values are a formula, and a few tensors of the sound
// tower.
class MmprojTest : public testing::ConvertTest {
 protected:
  static constexpr int64_t kHidden = 32;

  MmprojTest() {
    std::ifstream in(GEMMA3N_SOURCE_DIR "/tests/golden/fixtures/vision_tower/shapes.json");
    shapes_ = nlohmann::json::parse(in).get<testing::TensorShapes>();
    shapes_[kRelative] = {64, 64};
    shapes_["model.audio_tower.conformer.11.lconv1d.depthwise_conv1d.weight"] = {6, 1, 5};
    testing::WriteHashedCheckpoint(
        source_, testing::TinyModel{.hidden = kHidden, .multimodal = true}.Config().dump(),
        shapes_);
  }
  std::string Write(GgufType type) {
    const std::string path = out_ / "mmproj.gguf";
    const auto report = WriteMmproj(Open(source_.path()), type, path, options_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return path;
  }
  static Checkpoint OpenMmproj(const std::string& path) {
    auto checkpoint = Checkpoint::OpenMmproj(path);
    if (!checkpoint.ok()) throw std::runtime_error(checkpoint.status().message());
    return std::move(checkpoint).value();
  }
  std::vector<float> Encode(const Checkpoint& checkpoint) {
    ThreadPool pool(2);
    const Ops ops(*ChooseKernels().value(), pool);
    auto tower = VisionTower::Bind(checkpoint, Arithmetic::kFloat32, ops);
    if (!tower.ok()) throw std::runtime_error(tower.status().message());
    std::vector<uint8_t> rgb(256 * 256 * 3);
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * i >> 7);
    std::vector<float> soft(static_cast<size_t>(256 * kHidden));
    const Status status = tower->Encode(rgb, 256, {soft.data(), 256, kHidden}, ops);
    if (!status.ok()) throw std::runtime_error(status.message());
    return soft;
  }

  static constexpr char kRelative[] =
      "model.audio_tower.conformer.11.attention.attn.relative_position_embedding.pos_proj.weight";
  testing::TensorShapes shapes_;
};

TEST_F(MmprojTest, Float32ComesBackBitForBit) {
  const Checkpoint source = Open(source_.path()), written = OpenMmproj(Write(GgufType::kF32));
  EXPECT_EQ(written.tensors().size(), shapes_.size());
  for (const auto& [hub, shape] : shapes_) {
    const std::string name = StripHubPrefix(hub);
    const auto found = written.tensors().find(name);
    ASSERT_NE(found, written.tensors().end()) << name;
    EXPECT_EQ(found->second.shape, shape) << name;
    EXPECT_EQ(testing::Values(written, name), testing::Values(source, name)) << name;
  }
  EXPECT_EQ(Encode(written), Encode(source));
  EXPECT_EQ(written.config().text.hidden_size, kHidden);
  EXPECT_EQ(written.config().tokens.image, source.config().tokens.image);
  EXPECT_EQ(written.config().tokens.vision_vocab_offset,
            source.config().tokens.vision_vocab_offset);
  EXPECT_EQ(written.config().audio.num_layers, source.config().audio.num_layers);
}

TEST_F(MmprojTest, SmallerTypesKeepTheTowerClose) {
  const std::vector<float> exact = Encode(Open(source_.path()));
  for (const auto& [type, error] :
       {std::pair(GgufType::kF16, 0.01), std::pair(GgufType::kBF16, 0.1),
        std::pair(GgufType::kQ8_0, 0.05)}) {
    const std::vector<float> soft = Encode(OpenMmproj(Write(type)));
    double square = 0, off = 0;
    for (size_t i = 0; i < soft.size(); ++i) {
      square += static_cast<double>(exact[i]) * exact[i];
      off += std::pow(static_cast<double>(soft[i]) - exact[i], 2);
    }
    EXPECT_GT(off, 0) << Name(type);
    EXPECT_LT(std::sqrt(off / square), error) << Name(type);
  }
}

TEST_F(MmprojTest, TheFileIsWhatLlamaCppReads) {
  const auto file = GgufFile::Open(Write(GgufType::kQ8_0));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->GetString("general.architecture"), "clip");
  EXPECT_EQ(file->GetString("clip.projector_type"), "gemma3nv");
  EXPECT_EQ(file->GetInt("clip.vision.image_size"), 768);
  EXPECT_EQ(file->GetInt("clip.vision.patch_size"), 3);
  const auto& tensors = file->tensors();
  const auto shape = [&](const char* name) { return tensors.at(name).shape; };
  EXPECT_EQ(shape("v.conv_stem.conv.bias"), (std::vector<int64_t>{1, 32, 1, 1}));
  EXPECT_EQ(shape("v.blk.2.9.layer_scale.gamma"), (std::vector<int64_t>{1, 64, 1, 1}));
  EXPECT_EQ(shape("v.blk.2.9.attn.query.proj.weight"), (std::vector<int64_t>{768, 64, 1, 1}));
  EXPECT_EQ(tensors.at("v.blk.2.9.attn.query.proj.weight").dtype, DType::kF16);
  EXPECT_EQ(tensors.at("v.conv_stem.conv.weight").dtype, DType::kF32);
  EXPECT_EQ(tensors.at("mm.input_projection.weight").dtype, DType::kQ8_0);
  for (const auto& [name, tensor] : tensors) EXPECT_LT(name.size(), 64u) << name;
}

TEST_F(MmprojTest, WhatDoesNotFitIsRefusedInASentence) {
  const Checkpoint source = Open(source_.path());
  const auto type = WriteMmproj(source, GgufType::kQ4_K, out_ / "x.gguf", options_);
  EXPECT_EQ(type.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(type.status().message(), HasSubstr("Q4_K"));
  testing::TempDir text;
  testing::TinyModel{}.Write(text);
  const auto none = WriteMmproj(Open(text.path()), GgufType::kF16, out_ / "x.gguf", options_);
  EXPECT_EQ(none.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(out_.Count(), 0u);
  const auto model = Gguf(Open(text.path()), GgufType::kF16);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(Checkpoint::OpenMmproj(out_ / "out.gguf").status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace gemma3n
