// The picture tower against timm and transformers: every block of a tower of a tenth of the width,
// at the three picture sizes. Weights and pictures are formulas that
// tools/golden/make_vision_fixtures.py shares.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/dispatch.h"
#include "model/vision/vision_tower.h"
#include "tests/golden/golden_model.h"
#include "tests/unit/model/hashed_checkpoint.h"
#include "tests/unit/model/tiny_checkpoint.h"

namespace gemma3n::golden {
namespace {

constexpr int64_t kHidden = 32;
// The library's own float32 is 6e-6 from float64 on values up to 5.
constexpr float kVisionTolerance = 2e-5f;

std::vector<uint8_t> Picture(int64_t size) {
  std::vector<uint8_t> rgb(static_cast<size_t>(size * size * 3));
  for (int64_t i = 0; i < size * size * 3; ++i) {
    const int64_t c = i % 3, x = i / 3 % size, y = i / 3 / size;
    const int64_t noise = testing::HashBits("picture", static_cast<uint32_t>(i)) >> 18;
    rgb[i] = static_cast<uint8_t>((3 * x + 5 * y + 40 * c + noise) % 256);
  }
  return rgb;
}

class VisionGolden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new testing::TempDir;
    std::ifstream in(FixtureDirectory("vision_tower") + "/shapes.json");
    const auto shapes = nlohmann::json::parse(in).get<testing::TensorShapes>();
    testing::WriteHashedCheckpoint(
        *dir_, testing::TinyModel{.hidden = kHidden, .multimodal = true}.Config().dump(), shapes);
    checkpoint_ = new Checkpoint(Take(Checkpoint::Open(dir_->path())));
  }
  static void TearDownTestSuite() {
    delete checkpoint_;
    delete dir_;
  }

  // Compares every probe, and names the first that is off.
  static void ExpectMatches(int64_t size, const KernelTable& kernels, int threads) {
    const SafetensorsFile file =
        Take(SafetensorsFile::Open(FixtureDirectory("vision_tower") + "/expected.safetensors"));
    const auto expected = [&](const char* what) {
      return ReadValues(file.tensors().at(fmt::format("{}.{}", size, what)));
    };
    const Values pixels = expected("pixels"), sums = expected("sums"), soft = expected("soft");
    ThreadPool pool(threads);
    const Ops ops(kernels, pool, Precision::kFloat32);
    const VisionTower tower = Take(VisionTower::Bind(*checkpoint_, Arithmetic::kFloat32, ops));
    int64_t tap = 0;
    const float* pixel = pixels.data.data();
    const Probe probe = [&](std::string_view name, int layer, const ConstView& values) {
      if (name == "vision_soft" || HasFailure()) return;
      const int64_t row = testing::HashBits("pixel", static_cast<uint32_t>(tap)) %
                          static_cast<uint32_t>(values.rows);
      const float off = MaxDifference(values.row(row), pixel, values.cols);
      EXPECT_LE(off, kVisionTolerance) << name << " " << layer << ", pixel " << row;
      std::vector<double> sum(static_cast<size_t>(sums.cols));
      const int64_t n = values.rows * values.cols;
      for (int64_t i = 0; i < n; ++i) {
        const uint32_t signs = testing::HashBits("signs", static_cast<uint32_t>(i));
        const double v = values.data[i];
        for (size_t s = 0; s < sum.size(); ++s) sum[s] += signs >> s & 1 ? v : -v;
      }
      for (size_t s = 0; s < sum.size(); ++s) {
        EXPECT_NEAR(sum[s] / std::sqrt(static_cast<double>(n)), sums.row(tap)[s], kVisionTolerance)
            << name << " " << layer << ", sum " << s;
      }
      pixel += values.cols;
      ++tap;
    };
    std::vector<float> out(static_cast<size_t>(VisionTower::soft_tokens() * kHidden));
    const View view(out.data(), VisionTower::soft_tokens(), kHidden);
    Check(tower.Encode(Picture(size), size, view, ops, probe));
    if (HasFailure()) return;
    EXPECT_EQ(tap, sums.rows);
    EXPECT_EQ(pixel, pixels.data.data() + pixels.data.size());
    const float off = MaxDifference(out.data(), soft.data.data(), view.rows * view.cols);
    EXPECT_LE(off, kVisionTolerance);
    RecordProperty("soft_token_difference", std::to_string(off));
  }

  static testing::TempDir* dir_;
  static Checkpoint* checkpoint_;
};
testing::TempDir* VisionGolden::dir_ = nullptr;
Checkpoint* VisionGolden::checkpoint_ = nullptr;

TEST_F(VisionGolden, EveryStageOfEveryKernelTableAt256) {
  for (const KernelTable* kernels : AvailableKernels()) {
    SCOPED_TRACE(kernels->name);
    ExpectMatches(256, *kernels, 1);
  }
}
TEST_F(VisionGolden, EveryStageAt256WithManyThreads) {
  ExpectMatches(256, *Take(ChooseKernels()), 5);
}
TEST_F(VisionGolden, EveryStageAt512) { ExpectMatches(512, *Take(ChooseKernels()), 2); }
TEST_F(VisionGolden, EveryStageAt768) { ExpectMatches(768, *Take(ChooseKernels()), 2); }

// Rounded factors: their error is the arithmetic's, not a slip's, which would be of the size of the
// values.
TEST_F(VisionGolden, RoundedArithmeticStaysClose) {
  const SafetensorsFile file =
      Take(SafetensorsFile::Open(FixtureDirectory("vision_tower") + "/expected.safetensors"));
  const Values expected = ReadValues(file.tensors().at("256.soft"));
  ThreadPool pool(2);
  const Ops ops(*Take(ChooseKernels()), pool, Precision::kFloat32);
  for (const auto& [arithmetic, most] :
       {std::pair(Arithmetic::kBFloat16, 0.05), std::pair(Arithmetic::kInt8, 0.15)}) {
    const VisionTower tower = Take(VisionTower::Bind(*checkpoint_, arithmetic, ops));
    std::vector<float> out(expected.data.size());
    Check(tower.Encode(Picture(256), 256, {out.data(), 256, kHidden}, ops));
    double square = 0, off = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      square += static_cast<double>(expected.data[i]) * expected.data[i];
      off += std::pow(static_cast<double>(out[i]) - expected.data[i], 2);
    }
    EXPECT_LT(std::sqrt(off / square), most);
  }
}

TEST_F(VisionGolden, OtherPicturesAreRefusedInASentence) {
  ThreadPool pool(1);
  const Ops ops(*Take(ChooseKernels()), pool, Precision::kFloat32);
  const VisionTower tower = Take(VisionTower::Bind(*checkpoint_, Arithmetic::kFloat32, ops));
  std::vector<float> out(static_cast<size_t>(256 * kHidden));
  const View soft(out.data(), 256, kHidden);
  const Status size = tower.Encode(Picture(224), 224, soft, ops);
  EXPECT_EQ(size.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(size.message().find("found 224"), std::string::npos) << size.message();
  const Status bytes = tower.Encode(Picture(256), 512, soft, ops);
  EXPECT_EQ(bytes.code(), StatusCode::kInvalidArgument);
}

// A checkpoint with one tensor missing or of another shape: the message names file and tensor.
TEST_F(VisionGolden, AWrongTensorIsNamed) {
  std::ifstream in(FixtureDirectory("vision_tower") + "/shapes.json");
  const auto shapes = nlohmann::json::parse(in).get<testing::TensorShapes>();
  const std::string p = "model.vision_tower.timm_model.";
  ThreadPool pool(1);
  const Ops ops(*Take(ChooseKernels()), pool, Precision::kFloat32);
  const auto bind = [&](const std::string& name, const std::vector<int64_t>* shape) {
    testing::TensorShapes changed = shapes;
    changed.erase(name);
    if (shape != nullptr) changed[name] = *shape;
    testing::TempDir dir;
    testing::WriteHashedCheckpoint(
        dir, testing::TinyModel{.hidden = kHidden, .multimodal = true}.Config().dump(), changed);
    const Checkpoint checkpoint = Take(Checkpoint::Open(dir.path()));
    return VisionTower::Bind(checkpoint, Arithmetic::kFloat32, ops).status();
  };
  for (const std::string& name : {p + "conv_stem.conv.weight", p + "blocks.0.1.bn1.weight",
                                  p + "blocks.2.8.pw_exp.conv.weight",
                                  p + "blocks.3.38.layer_scale.gamma", p + "msfa.norm.weight"}) {
    const Status missing = bind(name, nullptr);
    EXPECT_EQ(missing.code(), StatusCode::kNotFound) << name;
    const std::string below = name.substr(std::string("model.").size());
    EXPECT_NE(missing.message().find(below), std::string::npos) << missing.message();
  }
  const std::vector<int64_t> narrow = {96, 23, 1, 1};
  const Status shape = bind(p + "blocks.1.1.pw_exp.conv.weight", &narrow);
  EXPECT_EQ(shape.code(), StatusCode::kCorruptFile);
  EXPECT_NE(
      shape.message().find("model.safetensors: tensor " + p + "blocks.1.1.pw_exp.conv.weight"),
      std::string::npos)
      << shape.message();
}

}  // namespace
}  // namespace gemma3n::golden
