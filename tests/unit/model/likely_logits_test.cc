// The largest logits without the others: of whatever unembedding and hidden state the k largest
// have the bits that Logits gives them, and nothing else is made up.
#include "model/text/likely_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/quantize.h"
#include "model/text/logits.h"

namespace gemma3n {
namespace {

constexpr int64_t kVocab = 24 * CoarseRows::kBlock + 100, kHidden = 512;
constexpr float kNone = -std::numeric_limits<float>::infinity();

class LikelyLogitsTest : public testing::Test {
 protected:
  LikelyLogitsTest() {
    config_.hidden_size = kHidden;
    config_.vocab_size = kVocab;
    config_.final_logit_softcap = 30;
    for (float& v : values_) v = 0.05f * normal_(rng_);
    for (float& v : x_) v = normal_(rng_);
  }

  float* Row(int64_t r) { return values_.data() + r * kHidden; }

  // The k largest of each row of x_, under every table; how many more were computed than needed.
  int64_t Check(DType dtype, int64_t k, Precision precision = Precision::kAuto) {
    const int64_t rows = std::ssize(x_) / kHidden;
    std::vector<std::byte> stored(static_cast<size_t>(kVocab * RowBytes(dtype, kHidden)));
    for (int64_t r = 0; r < kVocab; ++r) {
      QuantizeRow(dtype, Row(r), stored.data() + r * RowBytes(dtype, kHidden), kHidden);
    }
    const Matrix w = {dtype, kVocab, kHidden, RowBytes(dtype, kHidden), stored.data()};
    int64_t more = 0;
    for (const KernelTable* table : AvailableKernels()) {
      ThreadPool pool(2);
      const Ops ops(*table, pool, precision);
      auto arena = Arena::Create(static_cast<size_t>(LikelyLogitsFloats(kVocab)) * sizeof(float));
      EXPECT_TRUE(arena.ok());
      const Probe probe;
      const StageContext ctx{config_, ops, *arena, probe};
      CoarseRows coarse(w);
      coarse.Make(ops);
      EXPECT_TRUE(LikelyLogitsPay(coarse, rows, k));
      const ConstView x(x_.data(), rows, kHidden);
      std::vector<float> all(static_cast<size_t>(rows * kVocab)), likely(all.size(), 1e30f);
      EXPECT_TRUE(Logits(w, x, View(all.data(), rows, kVocab), ctx).ok());
      EXPECT_TRUE(LikelyLogits(w, coarse, x, k, View(likely.data(), rows, kVocab), ctx).ok());
      EXPECT_EQ(arena->grown(), 0);
      for (int64_t t = 0; t < rows; ++t) {
        const float* want = all.data() + t * kVocab;
        const float* got = likely.data() + t * kVocab;
        std::vector<float> order(want, want + kVocab);
        std::replace_if(
            order.begin(), order.end(), [](float v) { return std::isnan(v); }, kNone);
        std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
        for (int64_t r = 0; r < kVocab; ++r) {
          const bool same = got[r] == want[r] || (std::isnan(got[r]) && std::isnan(want[r]));
          EXPECT_TRUE(same || got[r] == kNone) << table->name << " row " << r << ": " << got[r];
          EXPECT_TRUE(same || want[r] < order[static_cast<size_t>(k - 1)])
              << table->name << " lost row " << r << " of " << Name(dtype) << ": " << want[r];
          more += got[r] == kNone ? 0 : 1;
        }
        more -= k;
      }
    }
    return more / (rows * std::ssize(AvailableKernels()));
  }

  std::mt19937 rng_{11};
  std::normal_distribution<float> normal_;
  TextConfig config_;
  std::vector<float> values_ = std::vector<float>(static_cast<size_t>(kVocab * kHidden));
  std::vector<float> x_ = std::vector<float>(kHidden);
};

TEST_F(LikelyLogitsTest, TheLargestOfEveryTypeAreThere) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ6_K, DType::kQ4_0}) {
    for (const int64_t k : {1, 6}) {
      EXPECT_LT(Check(dtype, k), kVocab / 3) << Name(dtype) << ", the largest " << k;
    }
  }
  Check(DType::kQ6_K, 1, Precision::kFloat32);
}

TEST_F(LikelyLogitsTest, OfSeveralRows) {
  for (int64_t rows = 2; rows <= kCoarseRows; ++rows) {
    x_.resize(static_cast<size_t>(rows * kHidden));
    for (float& v : x_) v = normal_(rng_);
    Check(DType::kQ8_0, 2);
  }
}

TEST_F(LikelyLogitsTest, WithoutASoftcap) {
  config_.final_logit_softcap = 0;
  Check(DType::kBF16, 3);
}

// What trained embeddings have and random ones have not.
TEST_F(LikelyLogitsTest, RowsOfVeryDifferentSizes) {
  for (int64_t r = 0; r < kVocab; ++r) {
    const float size = std::exp(1.5f * normal_(rng_));
    for (int64_t c = 0; c < kHidden; ++c) Row(r)[c] *= size;
  }
  Check(DType::kBF16, 5);
}

TEST_F(LikelyLogitsTest, ColumnsThatOutweighAllOthers) {
  for (int64_t r = 0; r < kVocab; ++r) {
    Row(r)[3] *= 40;
    Row(r)[77] *= 15;
  }
  Check(DType::kBF16, 5);
  x_[3] *= 20;
  x_[200] *= 100;
  Check(DType::kBF16, 5);
  Check(DType::kQ8_0, 1);
}

TEST_F(LikelyLogitsTest, RowsThatAreNearlyTheSame) {
  for (int64_t r = 0; r < kVocab; ++r) {
    for (int64_t c = 0; c < kHidden; ++c) {
      Row(r)[c] = Row(r % 40)[c] + (r < 40 ? 0 : 1e-4f * normal_(rng_));
    }
  }
  Check(DType::kF32, 6);
}

TEST_F(LikelyLogitsTest, AHiddenStateThatIsOneOfTheRows) {
  for (const int64_t r : {0l, 1000l, kVocab - 1}) {
    for (int64_t c = 0; c < kHidden; ++c) x_[c] = 20 * Row(r)[c];
    EXPECT_LT(Check(DType::kQ8_0, 1), 100);
  }
}

TEST_F(LikelyLogitsTest, ARowThatIsNotFinite) {
  Row(300)[5] = std::numeric_limits<float>::quiet_NaN();
  Row(301)[5] = std::numeric_limits<float>::infinity();
  Row(0)[0] = std::numeric_limits<float>::quiet_NaN();
  Check(DType::kF32, 2);
}

TEST_F(LikelyLogitsTest, HiddenStatesThatAreNothingOrNotFinite) {
  std::fill(x_.begin(), x_.end(), 0.0f);
  Check(DType::kBF16, 1);
  x_[9] = std::numeric_limits<float>::quiet_NaN();
  Check(DType::kBF16, 1);
  x_[9] = std::numeric_limits<float>::infinity();
  Check(DType::kBF16, 1);
}

TEST_F(LikelyLogitsTest, PaysForFewRowsAndFewOfMany) {
  const Matrix w = {DType::kF32, 1000 * CoarseRows::kBlock, 1, 4, nullptr};
  const CoarseRows coarse(w);
  EXPECT_TRUE(LikelyLogitsPay(coarse, 1, 1));
  EXPECT_TRUE(LikelyLogitsPay(coarse, kCoarseRows, 250));
  EXPECT_FALSE(LikelyLogitsPay(coarse, 1, 251));
  EXPECT_FALSE(LikelyLogitsPay(coarse, kCoarseRows + 1, 1));
  EXPECT_FALSE(LikelyLogitsPay(coarse, 0, 1));
  EXPECT_FALSE(LikelyLogitsPay(coarse, 1, 0)) << "all are wanted";
}

}  // namespace
}  // namespace gemma3n
