// Linear for every dtype and table against double precision, the same bits for a token in any
// company, and the split over threads.
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "base/thread_pool.h"
#include "kernel_test_util.h"
#include "kernels/ops.h"
#include "kernels/reference/reference.h"

namespace gemma3n {
namespace {

using Param = std::tuple<const KernelTable*, int>;

class Linear : public testing::TestWithParam<Param> {
 protected:
  const KernelTable& table() const { return *std::get<0>(GetParam()); }
  DType dtype() const { return static_cast<DType>(std::get<1>(GetParam())); }
  int64_t block() const { return Traits(dtype()).block_elements; }
  KernelTable::LinearFn linear() const { return table().linear[std::get<1>(GetParam())]; }

  // Checks y[t, r] for r in [begin, end) against double, and that nothing else was written.
  void Check(const TestMatrix& m, int64_t tokens, int64_t begin, int64_t end) {
    const int64_t rows = m.matrix.rows, cols = m.matrix.cols, x_stride = cols + 5,
                  y_stride = rows + 3;
    const auto x = random_.Normals(tokens * x_stride);
    std::vector<float> y(static_cast<size_t>(tokens * y_stride), -77.0f);
    linear()(m.matrix, begin, end, ConstView(x.data(), tokens, cols, x_stride),
             View(y.data(), tokens, rows, y_stride));
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = 0; r < y_stride; ++r) {
        const float got = y[t * y_stride + r];
        if (r < begin || r >= end) {
          ASSERT_EQ(got, -77.0f) << "row " << r << " was written";
          continue;
        }
        double expected = 0, magnitude = 0;
        for (int64_t c = 0; c < cols; ++c) {
          const double product = m.values[r * cols + c] * x[t * x_stride + c];
          expected += product;
          magnitude += std::fabs(product);
        }
        ASSERT_NEAR(got, expected, 3e-7 * magnitude)
            << "token " << t << " of " << tokens << ", row " << r << " of " << rows << ", " << cols
            << " columns";
      }
    }
  }
  Random random_{5};
};

std::string ParamName(const testing::TestParamInfo<Param>& param) {
  return std::string(std::get<0>(param.param)->name) + "_" +
         Name(static_cast<DType>(std::get<1>(param.param)));
}

INSTANTIATE_TEST_SUITE_P(Tables, Linear,
                         testing::Combine(testing::ValuesIn(DistinctFloatKernels()),
                                          testing::Range(0, kDTypeCount)),
                         ParamName);

TEST_P(Linear, EveryTokenAndRowCount) {
  const int64_t cols = block() == 256 ? 768 : 608;  // more than one slab of columns
  for (int64_t rows : {1, 2, 3, 4, 5, 7, 33, 37}) {
    const auto m = RandomMatrix(dtype(), rows, cols, random_);
    for (int64_t tokens : {1, 2, 3, 5, 8, 17, 64}) Check(m, tokens, 0, rows);
  }
}

TEST_P(Linear, EveryColumnCount) {
  const int64_t counts = block() == 1 ? kMaxCount : 5;
  for (int64_t i = 1; i <= counts; ++i) {
    const auto m = RandomMatrix(dtype(), 5, i * block(), random_);
    for (int64_t tokens : {1, 2, 7}) Check(m, tokens, 0, 5);
  }
}

TEST_P(Linear, RowRangesAndColumnPrefixes) {
  const auto m = RandomMatrix(dtype(), 41, 2 * 256, random_, 256);
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 0}, {3, 4}, {1, 38}, {40, 41}}) {
    for (int64_t tokens : {1, 6, 13}) Check(m, tokens, begin, end);
  }
  auto narrow = m;  // a narrower prefix of the same bytes
  narrow.matrix = m.matrix.ColPrefix(256);
  for (int64_t r = 0; r < 41; ++r) {
    for (int64_t c = 0; c < 256; ++c) narrow.values[r * 256 + c] = m.values[r * 512 + c];
  }
  Check(narrow, 1, 0, 41);
  Check(narrow, 9, 0, 41);
}

// Prefill, decode and any batching of them give a token the same bits.
TEST_P(Linear, ATokensResultDoesNotDependOnItsCompany) {
  const int64_t rows = 38, cols = block() == 256 ? 1280 : 1120, tokens = 19;
  const auto m = RandomMatrix(dtype(), rows, cols, random_);
  const auto x = random_.Normals(tokens * cols);
  std::vector<float> alone(rows * tokens), together(rows * tokens);
  const ConstView xs(x.data(), tokens, cols);
  const View ys(together.data(), tokens, rows), one(alone.data(), tokens, rows);
  for (int64_t t = 0; t < tokens; ++t) linear()(m.matrix, 0, rows, xs.Rows(t, 1), one.Rows(t, 1));
  for (int64_t count = 2; count <= tokens; ++count) {
    linear()(m.matrix, 0, rows, xs.Rows(0, count), ys.Rows(0, count));
    for (int64_t i = 0; i < count * rows; ++i)
      ASSERT_EQ(together[i], alone[i]) << "of " << count << " tokens";
  }
  for (int64_t begin = 0; begin < 5; ++begin) {  // nor on the range of rows
    linear()(m.matrix, begin, rows, xs.Rows(0, 1), ys.Rows(0, 1));
    for (int64_t r = begin; r < rows; ++r) ASSERT_EQ(together[r], alone[r]);
  }
}

TEST_P(Linear, NanAndInfinityStayInTheirTokenAndRow) {
  const int64_t rows = 6, cols = 512;
  auto m = RandomMatrix(dtype(), rows, cols, random_);
  for (int64_t tokens : {1, 8}) {
    auto x = random_.Normals(tokens * cols);
    x[(tokens - 1) * cols + 17] = NAN;
    std::vector<float> y(tokens * rows);
    linear()(m.matrix, 0, rows, ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows));
    for (int64_t i = 0; i < tokens * rows; ++i)
      ASSERT_EQ(std::isnan(y[i]), i / rows == tokens - 1) << i;
  }
}

TEST_P(Linear, ReadsAndWritesNothingPastItsBuffers) {
  std::vector<int64_t> widths = {block(), 2 * block(), 5 * block()};
  if (block() == 1) widths = {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 511, 512, 513, 530};
  for (int64_t cols : widths) {
    for (int64_t rows : {1, 3, 4, 33}) {
      const auto m = RandomMatrix(dtype(), rows, cols, random_);
      AgainstPage weights(m.matrix.data, static_cast<size_t>(rows * m.matrix.row_bytes));
      Matrix w = m.matrix;
      w.data = weights.bytes();
      for (int64_t tokens : {1, 2, 4, 7}) {
        AgainstPage x(random_.Normals(tokens * cols)), y(std::vector<float>(tokens * rows));
        linear()(w, 0, rows, ConstView(x.floats(), tokens, cols), View(y.floats(), tokens, rows));
      }
      AgainstPage out{std::vector<float>(cols)};
      table().dequantize[static_cast<int>(dtype())](w.row(rows - 1), out.floats(), cols);
    }
  }
}

// Leaves NaN where the next call's local arrays will lie.
__attribute__((noinline)) void FillStackWithNan() {
  volatile float stale[48 * 1024];
  for (volatile float& v : stale) v = NAN;
}

TEST_P(Linear, WhatLiesOnTheStackDoesNotMatter) {
  for (int64_t cols : {block(), block() == 1 ? int64_t{521} : 3 * block()}) {
    const auto m = RandomMatrix(dtype(), 5, cols, random_);
    for (int64_t tokens : {1, 3, 9}) {
      const auto x = random_.Normals(tokens * cols);
      std::vector<float> y(tokens * 5);
      FillStackWithNan();
      linear()(m.matrix, 0, 5, ConstView(x.data(), tokens, cols), View(y.data(), tokens, 5));
      for (float v : y) ASSERT_FALSE(std::isnan(v)) << cols << " columns, " << tokens << " tokens";
    }
  }
}

TEST(OpsLinear, AnyThreadCountGivesTheSameBits) {
  Random random(3);
  for (const KernelTable* table : DistinctFloatKernels()) {
    for (auto [rows, cols, tokens] : {std::tuple<int64_t, int64_t, int64_t>{1, 64, 1},
                                      {4, 512, 700},
                                      {64, 256, 300},
                                      {1000, 128, 1},
                                      {333, 256, 9},
                                      {2048, 64, 33}}) {
      const auto m = RandomMatrix(DType::kQ4_0, rows, cols, random);
      const auto x = random.Normals(tokens * cols);
      std::vector<float> expected(tokens * rows);
      table->linear[static_cast<int>(DType::kQ4_0)](m.matrix, 0, rows,
                                                    ConstView(x.data(), tokens, cols),
                                                    View(expected.data(), tokens, rows));
      for (int threads : {1, 2, 3, 5}) {
        ThreadPool pool(threads);
        std::vector<float> y(tokens * rows, -77.0f);
        Ops(*table, pool)
            .Linear(m.matrix, ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows));
        ASSERT_EQ(y, expected) << table->name << ", " << threads << " threads, " << rows << " x "
                               << cols;
      }
    }
  }
}

TEST(OpsLinear, RowAndRmsNorm) {
  Random random(4);
  ThreadPool pool(3);
  for (const KernelTable* table : DistinctFloatKernels()) {
    const Ops ops(*table, pool);
    const auto m = RandomMatrix(DType::kQ6_K, 7, 256, random);
    std::vector<float> row(256);
    ops.Row(m.matrix, 5, row.data());
    for (int c = 0; c < 256; ++c) ASSERT_EQ(row[c], m.values[5 * 256 + c]);

    const auto x = random.Normals(50 * 100), w = random.Normals(100);
    std::vector<float> y(50 * 100), expected(100);
    ops.RmsNorm(w.data(), 1e-6f, ConstView(x.data(), 50, 100), View(y.data(), 50, 100));
    for (int t = 0; t < 50; ++t) {
      table->rms_norm(x.data() + t * 100, w.data(), expected.data(), 100, 1e-6f);
      for (int i = 0; i < 100; ++i) ASSERT_EQ(y[t * 100 + i], expected[i]);
    }
    ops.Linear(m.matrix, ConstView(x.data(), 0, 256),
               View(y.data(), 0, 7));  // no tokens: nothing to do
  }
}

}  // namespace
}  // namespace gemma3n
