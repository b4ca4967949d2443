#include "model/multimodal_embedder.h"

#include <gmock/gmock.h>

#include "kernels/dispatch.h"
#include "tests/unit/model/hashed_checkpoint.h"
#include "tests/unit/model/tiny_checkpoint.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

constexpr int64_t kWidth = 24;  // the tower's
constexpr char kNorm[] = "model.embed_vision.soft_embedding_norm.weight";
constexpr char kProjection[] = "model.embed_vision.embedding_projection.weight";

Checkpoint Open(const TempDir& dir, const testing::TensorShapes& shapes) {
  testing::WriteHashedCheckpoint(dir, testing::TinyModel{.multimodal = true}.Config().dump(),
                                 shapes);
  auto checkpoint = Checkpoint::Open(dir.path());
  if (!checkpoint.ok()) throw std::runtime_error(checkpoint.status().message());
  return std::move(checkpoint).value();
}

// HF Gemma3nRMSNorm in double precision.
std::vector<double> Rms(const std::vector<double>& x, const std::vector<float>* w, double eps) {
  double square = 0;
  for (double v : x) square += v * v / static_cast<double>(x.size());
  std::vector<double> y = x;
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] *= (w != nullptr ? (*w)[i] : 1.0) / std::sqrt(square + eps);
  }
  return y;
}

class SoftEmbedderTest : public ::testing::Test {
 protected:
  TempDir dir_;
  ThreadPool pool_{2};
  const KernelTable& kernels_ = **ChooseKernels();
  Ops ops_{kernels_, pool_};
};

TEST_F(SoftEmbedderTest, FollowsTheEquationWithItsOwnEpsilon) {
  const int64_t d = testing::TinyModel{}.hidden, tokens = 3;
  const Checkpoint checkpoint = Open(dir_, {{kNorm, {kWidth}}, {kProjection, {d, kWidth}}});
  for (const float eps : {1e-6f, 0.25f}) {
    auto embedder = SoftEmbedder::Bind(checkpoint, "embed_vision.", eps, kernels_);
    ASSERT_TRUE(embedder.ok()) << embedder.status().message();
    EXPECT_EQ(embedder->in_features(), kWidth);
    EXPECT_EQ(embedder->out_features(), d);
    std::vector<float> x(tokens * kWidth), out(tokens * d);
    for (size_t i = 0; i < x.size(); ++i) x[i] = testing::HashUnit("x", static_cast<uint32_t>(i));
    auto arena = Arena::Create(size_t{1} << 16);
    const Status status =
        embedder->Embed({x.data(), tokens, kWidth}, {out.data(), tokens, d}, ops_, *arena);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(arena->grown(), 0);
    const std::vector<float> norm = testing::HashedValues(kNorm, {kWidth});
    const std::vector<float> w = testing::HashedValues(kProjection, {d, kWidth});
    for (int64_t t = 0; t < tokens; ++t) {
      const auto n = Rms({x.begin() + t * kWidth, x.begin() + (t + 1) * kWidth}, &norm, eps);
      std::vector<double> y(d);
      for (int64_t r = 0; r < d; ++r) {
        for (int64_t c = 0; c < kWidth; ++c) y[r] += w[r * kWidth + c] * n[c];
      }
      y = Rms(y, nullptr, eps);
      for (int64_t r = 0; r < d; ++r) EXPECT_NEAR(out[t * d + r], y[r], 2e-6) << t << "," << r;
    }
  }
}

TEST_F(SoftEmbedderTest, AnotherShapeIsNamedWithItsTensor) {
  const int64_t d = testing::TinyModel{}.hidden;
  const Checkpoint narrow = Open(dir_, {{kNorm, {kWidth - 1}}, {kProjection, {d, kWidth}}});
  const auto bad = SoftEmbedder::Bind(narrow, "embed_vision.", 1e-6f, kernels_);
  EXPECT_EQ(bad.status().code(), StatusCode::kCorruptFile);
  EXPECT_THAT(bad.status().message(), HasSubstr(kNorm));
  const auto none = SoftEmbedder::Bind(narrow, "embed_audio.", 1e-6f, kernels_);
  EXPECT_EQ(none.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(none.status().message(), HasSubstr("embed_audio.embedding_projection.weight"));
}

}  // namespace
}  // namespace gemma3n
