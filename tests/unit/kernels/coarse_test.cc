// Rows in three bits a value: every table's levels and sums are the reference's, the copy is off by
// what it says, and what is not finite stays visible.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/thread_pool.h"
#include "kernel_test_util.h"
#include "kernels/coarse_rows.h"
#include "kernels/few_rows.h"

namespace gemma3n {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class Coarse : public EveryTable {
 protected:
  const CoarseKernels& kernels() const { return table().few_rows->coarse; }
};

INSTANTIATE_TEST_SUITE_P(Tables, Coarse, testing::ValuesIn(AvailableKernels()), TableName);

struct Levels {
  std::vector<std::byte> bytes;
  std::vector<float> centred;
};

Levels Encode(const CoarseKernels& kernels, const std::vector<float>& w, float inverse_step) {
  const auto cols = static_cast<int64_t>(w.size());
  AgainstPage in(w);
  AgainstPage bytes(std::vector<std::byte>(cols / kCoarseColumns * kCoarseGroup, std::byte{0xa5}));
  AgainstPage centred(std::vector<float>(w.size(), 77));
  kernels.encode(in.floats(), cols, inverse_step, bytes.bytes(), centred.floats());
  return {{bytes.bytes(), bytes.bytes() + cols / kCoarseColumns * kCoarseGroup},
          {centred.floats(), centred.floats() + cols}};
}

TEST_P(Coarse, LevelsAreTheNearestOfEight) {
  Random random(1);
  std::vector<float> w = random.Normals(4 * kCoarseColumns, 0.05f);
  w[3] = kNaN;
  w[70] = kInfinity;
  w[500] = -kInfinity;
  w[501] = std::numeric_limits<float>::max();
  constexpr float kStep = 0.03f;
  const Levels got = Encode(kernels(), w, 1 / kStep);
  for (size_t i = 0; i < w.size(); ++i) {
    if (std::isnan(w[i])) {
      EXPECT_EQ(got.centred[i], -3.5f);
      continue;
    }
    float nearest = -3.5f;
    for (float l = -3.5f; l <= 3.5f; ++l) {
      if (std::fabs(w[i] / kStep - l) < std::fabs(w[i] / kStep - nearest)) nearest = l;
    }
    if (w[i] > 3.5f * kStep) nearest = 3.5f;
    ASSERT_NEAR(got.centred[i], nearest,
                std::fabs(std::fabs(w[i] / kStep - nearest) - 0.5f) < 1e-4f ? 1.0f : 0.0f)
        << i << ": " << w[i] / kStep;
  }
  const Levels reference = Encode(reference::kTable.few_rows->coarse, w, 1 / kStep);
  EXPECT_EQ(got.bytes, reference.bytes);
  EXPECT_EQ(got.centred, reference.centred);
}

TEST_P(Coarse, SumsAreExactForAnyRangeAndNumberOfRows) {
  Random random(2);
  for (const int64_t cols : {1 * kCoarseColumns, 4 * kCoarseColumns, 5 * kCoarseColumns}) {
    constexpr int64_t kRows = 23;
    const int64_t stride = cols / kCoarseColumns * kCoarseGroup;
    std::vector<std::byte> all;
    std::vector<float> centred;
    for (int64_t r = 0; r < kRows; ++r) {
      const float scale = r == 0 ? 100.0f : 1.0f;  // a row of the outermost levels alone
      const Levels levels = Encode(kernels(), random.Normals(cols, scale), 1 / 0.586f);
      all.insert(all.end(), levels.bytes.begin(), levels.bytes.end());
      centred.insert(centred.end(), levels.centred.begin(), levels.centred.end());
    }
    ASSERT_EQ(std::ssize(all), kRows * stride);
    AgainstPage levels(all);
    for (int64_t count = 1; count <= kCoarseRows; ++count) {
      std::vector<int8_t> x(static_cast<size_t>(count * cols));
      for (int64_t i = 0; i < count * cols; ++i) {
        x[i] = static_cast<int8_t>(random.Byte() % 255 - 127);
        if (i / cols == 0) x[i] = 127;  // the largest sums there are
        if (i / cols == 1) x[i] = -127;
      }
      AgainstPage bytes(x.data(), x.size());
      for (const auto& [begin, end] :
           {std::pair<int64_t, int64_t>{0, kRows}, {1, 2}, {3, 9}, {5, 5}}) {
        std::vector<float> y(static_cast<size_t>(count * kRows), -77);
        kernels().multiply(levels.bytes(), cols, begin, end,
                           reinterpret_cast<const int8_t*>(bytes.bytes()), count,
                           View(y.data(), count, kRows));
        for (int64_t t = 0; t < count; ++t) {
          for (int64_t r = 0; r < kRows; ++r) {
            double expected = 0;
            for (int64_t c = 0; c < cols; ++c) {
              expected += (centred[r * cols + c] + 3.5) * x[t * cols + c];
            }
            ASSERT_EQ(y[t * kRows + r], r < begin || r >= end ? -77 : expected)
                << "row " << r << " of x " << t << " of " << count << ", " << cols << " columns";
          }
        }
      }
    }
  }
}

// What the copy gives for one x, and what is right.
struct Products {
  std::vector<float> about;
  std::vector<double> exact;
  std::vector<int32_t> best;
  float spread = 0;
};

Products Multiply(const CoarseRows& coarse, const TestMatrix& m, const std::vector<float>& x,
                  const Ops& ops) {
  Products p;
  p.about.resize(static_cast<size_t>(m.matrix.rows));
  p.exact.resize(p.about.size());
  p.best.resize(static_cast<size_t>(coarse.blocks()));
  EXPECT_TRUE(coarse.Multiply(ConstView(x.data(), 1, m.matrix.cols),
                              View(p.about.data(), 1, m.matrix.rows), p.best.data(), &p.spread,
                              ops));
  for (int64_t r = 0; r < m.matrix.rows; ++r) {
    for (int64_t c = 0; c < m.matrix.cols; ++c)
      p.exact[r] += m.values[r * m.matrix.cols + c] * x[c];
  }
  return p;
}

TEST_P(Coarse, TheCopyIsOffByWhatItSays) {
  Random random(3);
  ThreadPool pool(2);
  const Ops ops(table(), pool);
  for (const auto& [dtype, cols] : {std::pair{DType::kQ6_K, int64_t{768}},
                                    {DType::kBF16, int64_t{96}},
                                    {DType::kQ8_0, int64_t{1024}}}) {
    const TestMatrix m = RandomMatrix(dtype, 3 * CoarseRows::kBlock + 17, cols, random);
    CoarseRows coarse(m.matrix);
    EXPECT_FALSE(coarse.ready());
    coarse.Make(ops);
    ASSERT_TRUE(coarse.ready());
    const Products p = Multiply(coarse, m, random.Normals(cols), ops);
    double squares = 0, magnitude = 0;
    for (int64_t r = 0; r < m.matrix.rows; ++r) {
      const double off = (p.exact[r] - p.about[r]) / (coarse.rest()[r] * p.spread);
      EXPECT_LT(std::fabs(off), 6) << Name(dtype) << " row " << r;
      squares += off * off;
      magnitude += p.exact[r] * p.exact[r];
    }
    EXPECT_NEAR(std::sqrt(squares / m.matrix.rows), 1, 0.15) << Name(dtype);
    for (int64_t b = 0; b < coarse.blocks(); ++b) {
      const auto begin = p.about.begin() + b * CoarseRows::kBlock;
      const auto end = p.about.begin() + std::min((b + 1) * CoarseRows::kBlock, m.matrix.rows);
      EXPECT_EQ(p.about[p.best[b]], *std::max_element(begin, end));
      const auto rest = coarse.rest().begin() + b * CoarseRows::kBlock;
      EXPECT_EQ(coarse.block_rest()[b], *std::max_element(rest, rest + (end - begin)));
    }
  }
}

TEST_P(Coarse, OfTheRowThatXLooksLikeNothingIsLost) {
  Random random(4);
  ThreadPool pool(1);
  const Ops ops(table(), pool);
  constexpr int64_t kCols = 640;
  const TestMatrix m = RandomMatrix(DType::kF32, 300, kCols, random);
  CoarseRows coarse(m.matrix);
  coarse.Make(ops);
  for (int64_t r = 0; r < m.matrix.rows; r += 50) {
    const std::vector<float> x(m.values.begin() + r * kCols, m.values.begin() + (r + 1) * kCols);
    const Products p = Multiply(coarse, m, x, ops);
    // x is rounded to bytes, and columns weigh about the same: the levels alone would lose 4 %.
    EXPECT_NEAR(p.about[r] / p.exact[r], 1, 0.01);
  }
}

TEST_P(Coarse, ColumnsOfAnySize) {
  Random random(5);
  ThreadPool pool(1);
  const Ops ops(table(), pool);
  constexpr int64_t kRows = 2000, kCols = 512;
  TestMatrix m = RandomMatrix(DType::kF32, kRows, kCols, random);
  auto* values = reinterpret_cast<float*>(m.bytes.data());
  for (int64_t r = 0; r < kRows; ++r) {
    values[r * kCols + 7] *= 1000;  // as large as all others together, and more
    values[r * kCols + 8] = 0;
    for (int64_t c : {7, 8}) m.values[r * kCols + c] = values[r * kCols + c];
  }
  CoarseRows coarse(m.matrix);
  coarse.Make(ops);
  std::vector<float> x = random.Normals(kCols);
  x[7] = 0.001f;
  const Products p = Multiply(coarse, m, x, ops);
  double off = 0, magnitude = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    off += (p.exact[r] - p.about[r]) * (p.exact[r] - p.about[r]);
    magnitude += p.exact[r] * p.exact[r];
  }
  EXPECT_LT(std::sqrt(off / magnitude), 0.25);
}

TEST_P(Coarse, WhatIsNotFiniteIsSaid) {
  Random random(6);
  ThreadPool pool(1);
  const Ops ops(table(), pool);
  constexpr int64_t kRows = 600, kCols = 512;
  TestMatrix m = RandomMatrix(DType::kF32, kRows, kCols, random);
  auto* values = reinterpret_cast<float*>(m.bytes.data());
  values[0] = kNaN;  // of a row that the columns are measured with
  values[300 * kCols + 5] = kInfinity;
  std::fill(values + 301 * kCols, values + 302 * kCols, 0.0f);
  CoarseRows coarse(m.matrix);
  coarse.Make(ops);
  EXPECT_EQ(coarse.rest()[0], kInfinity);
  EXPECT_EQ(coarse.rest()[300], kInfinity);
  EXPECT_EQ(coarse.rest()[301], 0);
  EXPECT_EQ(coarse.block_rest()[0], kInfinity);
  EXPECT_EQ(coarse.block_rest()[1], kInfinity);
  EXPECT_LT(coarse.block_rest()[2], 100);

  std::vector<float> y(kRows, -77), x = random.Normals(kCols);
  std::vector<int32_t> best(3);
  float spread = 0;
  const auto multiply = [&] {
    return coarse.Multiply(ConstView(x.data(), 1, kCols), View(y.data(), 1, kRows), best.data(),
                           &spread, ops);
  };
  for (const float bad : {kNaN, kInfinity, 3e38f}) {
    x[100] = bad;
    EXPECT_FALSE(multiply());
    EXPECT_EQ(y[0], -77);
  }
  std::fill(x.begin(), x.end(), 0.0f);
  EXPECT_TRUE(multiply());
  EXPECT_EQ(spread, 0);
  for (const float v : y) EXPECT_EQ(v, 0);
}

TEST(CoarseRows, AreMadeWhenTheyHaveBeenWantedAFewTimes) {
  Random random(7);
  ThreadPool pool(1);
  const Ops ops(reference::kTable, pool);
  const TestMatrix m = RandomMatrix(DType::kF32, 10, 64, random);
  CoarseRows coarse(m.matrix);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(coarse.Want(ops));
  EXPECT_FALSE(coarse.ready());
  EXPECT_TRUE(coarse.Want(ops));
  EXPECT_TRUE(coarse.ready());
}

}  // namespace
}  // namespace gemma3n
