// float32 products by bfloat16 parts: as exact as fused multiply-adds, at every magnitude, for
// weights of either kind.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernel_test_util.h"
#include "kernels/packed_linear.h"

namespace gemma3n {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float Rounded(float v) { return BFloat16ToFloat(FloatToBFloat16(v)); }

std::vector<const KernelTable*> TablesWithParts() {
  std::vector<const KernelTable*> tables;
  for (const KernelTable* table : AvailableKernels()) {
    if (table->float32_parts != nullptr) tables.push_back(table);
  }
  return tables;
}

class Parts : public testing::TestWithParam<const KernelTable*> {
 protected:
  // The table's products, or those that it has for a W that is not tame.
  std::vector<float> Apply(const std::vector<float>& w, const std::vector<float>& x, int64_t cols,
                           bool parts = true) const {
    KernelTable table = *GetParam();
    if (!parts) table.float32_parts = nullptr;
    const Ops ops(table, pool_);
    const auto rows = static_cast<int64_t>(w.size()) / cols,
               tokens = static_cast<int64_t>(x.size()) / cols;
    const Matrix m = {DType::kF32, rows, cols, cols * 4,
                      reinterpret_cast<const std::byte*>(w.data())};
    std::vector<float> y(tokens * rows);
    PackedLinear::Pack(m, Arithmetic::kFloat32, ops)
        .Apply(ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows), ops);
    return y;
  }
  // Normals whose magnitudes are spread over some powers of e.
  std::vector<float> Spread(int64_t n, float powers) {
    std::vector<float> v = random_.Normals(n);
    for (float& value : v) value *= std::exp(powers * random_.Normal());
    return v;
  }
  mutable ThreadPool pool_{2};
  Random random_{31};
};

std::string TableName(const testing::TestParamInfo<const KernelTable*>& param) {
  return param.param->name;
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Parts);
INSTANTIATE_TEST_SUITE_P(Tables, Parts, testing::ValuesIn(TablesWithParts()), TableName);

struct Errors {
  double squares = 0, largest = 0;
};

Errors ErrorsOf(const std::vector<float>& y, const std::vector<float>& w,
                const std::vector<float>& x, int64_t cols) {
  Errors errors;
  const auto rows = static_cast<int64_t>(w.size()) / cols;
  for (size_t i = 0; i < y.size(); ++i) {
    const float *a = x.data() + i / rows * cols, *b = w.data() + i % rows * cols;
    double sum = 0, magnitude = 0;
    for (int64_t c = 0; c < cols; ++c) {
      const double product = double{a[c]} * b[c];
      sum += product, magnitude += std::fabs(product);
    }
    const double error = std::fabs(y[i] - sum) / magnitude;
    errors.squares += error * error / static_cast<double>(y.size());
    errors.largest = std::max(errors.largest, error);
  }
  return errors;
}

TEST_P(Parts, AreNoLessExactThanMultiplyAdds) {
  const int64_t tokens = 40, rows = 70;
  for (int64_t cols : {100, 640, 1536, 6144}) {
    for (float powers : {0.0f, 3.0f}) {
      for (bool narrow : {false, true}) {
        const auto x = Spread(tokens * cols, powers);
        auto w = Spread(rows * cols, powers);
        if (narrow) std::transform(w.begin(), w.end(), w.begin(), Rounded);
        const Errors ours = ErrorsOf(Apply(w, x, cols), w, x, cols);
        const Errors theirs = ErrorsOf(Apply(w, x, cols, false), w, x, cols);
        EXPECT_LE(std::sqrt(ours.squares), 1.25 * std::sqrt(theirs.squares))
            << cols << " columns, spread " << powers << (narrow ? ", bfloat16" : "");
        EXPECT_LE(ours.largest, 2 * theirs.largest)
            << cols << " columns, spread " << powers << (narrow ? ", bfloat16" : "");
      }
    }
  }
}

// All 24 bits of both factors count: without the least of six products the error would be 2^-17.
TEST_P(Parts, OneProductKeepsEveryBitOfItsFactors) {
  const int64_t count = 500;
  const auto x = random_.Normals(count), w = random_.Normals(count);
  const auto y = Apply(w, x, 1);
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t r = 0; r < count; ++r) {
      const double product = double{x[t]} * w[r];
      ASSERT_NEAR(y[t * count + r], product, 0x1p-22 * std::fabs(product)) << x[t] << ", " << w[r];
    }
  }
}

// Rows that the parts' range does not hold, beside others: as multiply-adds have them, and the
// others as if alone.
TEST_P(Parts, EveryMagnitudeOfARow) {
  const int64_t rows = 50;
  for (int64_t cols : {70, 1100}) {
    for (bool narrow : {false, true}) {
      auto w = random_.Normals(rows * cols, 0.1f);
      if (narrow) std::transform(w.begin(), w.end(), w.begin(), Rounded);
      const auto plain = random_.Normals(cols);
      for (float scale : {0x1p-146f, 0x1p-120f, 0x1p-66f, 0x1p-60f, 0x1p50f, 0x1p53f, 0x1p110f}) {
        std::vector<float> x = plain;
        for (float v : plain) x.push_back(v * scale);
        x.insert(x.end(), plain.begin(), plain.end());
        const auto y = Apply(w, x, cols), alone = Apply(w, plain, cols);
        for (int64_t r = 0; r < rows; ++r) {
          double sum = 0, magnitude = 0;
          for (int64_t c = 0; c < cols; ++c) {
            const double product = double{x[cols + c]} * w[r * cols + c];
            sum += product, magnitude += std::fabs(product);
          }
          ASSERT_EQ(y[r], alone[r]);
          ASSERT_EQ(y[2 * rows + r], alone[r]);
          ASSERT_NEAR(y[rows + r], sum, 4e-7 * magnitude + 100 * 0x1p-149) << scale << ", " << r;
        }
      }
    }
  }
}

TEST_P(Parts, InfinitiesAndNan) {
  const int64_t rows = 40, cols = 1100;
  for (bool narrow : {false, true}) {
    auto w = random_.Normals(rows * cols);
    if (narrow) std::transform(w.begin(), w.end(), w.begin(), Rounded);
    for (int64_t at : {int64_t{3}, cols - 1}) {
      w[5 * cols + at] = 0;
      auto x = random_.Normals(3 * cols);
      x[cols + at] = kInfinity;
      auto y = Apply(w, x, cols);
      for (int64_t r = 0; r < rows; ++r) {
        ASSERT_TRUE(std::isfinite(y[r]) && std::isfinite(y[2 * rows + r]));
        if (r == 5) {
          ASSERT_TRUE(std::isnan(y[rows + r]));  // infinity times zero
        } else {
          ASSERT_EQ(y[rows + r], std::copysign(kInfinity, w[r * cols + at]));
        }
      }
      x[cols + at] = std::numeric_limits<float>::max();  // rounded to bfloat16 it is infinite
      w[6 * cols + at] = 0.5f;
      y = Apply(w, x, cols);
      EXPECT_NEAR(y[rows + 6] * 0x1p-120f, 0x1p7f, 1e-4f);
      x[cols + at] = NAN;
      y = Apply(w, x, cols);
      for (int64_t r = 0; r < rows; ++r) ASSERT_TRUE(std::isnan(y[rows + r]));
    }
  }
}

TEST_P(Parts, WeightsThatAreNotTameTakeMultiplyAdds) {
  const int64_t rows = 40, cols = 90, tokens = 20;
  const auto x = random_.Normals(tokens * cols);
  for (float bad : {kInfinity, -kInfinity, 0x1p52f, 3e38f}) {
    auto w = random_.Normals(rows * cols);
    w[7 * cols + 5] = bad;
    EXPECT_EQ(Apply(w, x, cols), Apply(w, x, cols, false)) << bad;
  }
  auto w = random_.Normals(rows * cols);
  for (int64_t c = 0; c < cols; ++c) w[7 * cols + c] *= 0x1p-90f;
  EXPECT_EQ(Apply(w, x, cols), Apply(w, x, cols, false));
  for (int64_t c = 0; c < cols; ++c) w[7 * cols + c] = 0;
  EXPECT_NE(Apply(w, x, cols), Apply(w, x, cols, false));  // a row of zeros is tame
}

}  // namespace
}  // namespace gemma3n
