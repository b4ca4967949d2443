// Rows that are mostly zeros: what is found, products where they are wanted and products of what is
// left, for every table and type, against double precision.
#include "kernels/sparse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "kernel_test_util.h"
#include "kernels/ops.h"
#include "kernels/sparse_linear.h"

namespace gemma3n {
namespace {

class Sparse : public EveryTable {
 protected:
  // Normal values, a share of them; the others are zero.
  std::vector<float> Rare(int64_t rows, int64_t cols, double share) {
    auto values = random_.Normals(rows * cols);
    for (float& v : values) v = random_.Byte() < 256 * share ? v : 0.0f;
    return values;
  }
  SparseRows Find(std::vector<float> values, int64_t rows, const Ops& ops) {
    const View view(values.data(), rows, std::ssize(values) / rows);
    return FindNonZero(view, arena_, ops);
  }

  Random random_{11};
  Arena arena_ = std::move(Arena::Create(8 << 20)).value();
};

INSTANTIATE_TEST_SUITE_P(Tables, Sparse, testing::ValuesIn(AvailableKernels()), TableName);

// Calls body(place, row, column) for every place in order.
template <class Body>
void ForPlaces(const SparseRows& at, const Body& body) {
  for (int64_t b = 0; b < at.blocks(); ++b) {
    const SparseBlock block = at.Block(b);
    for (int64_t t = 0; t < at.rows; ++t) {
      for (int64_t i = block.starts[t]; i < block.starts[t + 1]; ++i)
        body(i, t, b * kSparseColumns + block.columns[i]);
    }
  }
}

TEST_P(Sparse, CompressMovesWhatIsNotZeroTogetherInPlace) {
  for (int64_t n = 0; n <= kSparseColumns; n = n < kMaxCount ? n + 1 : n + 37) {
    for (double share : {0.0, 0.1, 0.6, 1.0}) {
      auto x = Rare(1, n, share);
      if (n > 3) x[n / 2] = NAN, x[n - 1] = -0.0f, x[1] = 1e-45f;
      std::vector<std::pair<int, float>> expected;
      for (int64_t i = 0; i < n; ++i) {
        if (x[i] != 0) expected.emplace_back(i, x[i]);
      }
      AgainstPage values(x), columns(std::vector<std::byte>(static_cast<size_t>(n)));
      const auto* found = reinterpret_cast<const uint8_t*>(columns.bytes());
      ASSERT_EQ(table().compress(values.floats(), n, values.floats(),
                                 reinterpret_cast<uint8_t*>(columns.bytes())),
                std::ssize(expected));
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(found[i], expected[i].first);
        const float value = values.floats()[i];
        ASSERT_TRUE(value == expected[i].second || std::isnan(expected[i].second)) << value;
      }
    }
  }
}

TEST_P(Sparse, EveryPlaceIsFoundOnce) {
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{1, 5}, {3, 256}, {9, 1000}, {70, 2085}}) {
    for (double share : {0.0, 0.05, 1.0}) {
      const auto x = Rare(rows, cols, share);
      for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        Arena::Scope scope(arena_);
        const SparseRows found = Find(x, rows, Ops(table(), pool));
        std::vector<float> again(x.size());
        int64_t count = 0;
        ForPlaces(found, [&](int64_t i, int64_t t, int64_t c) {
          EXPECT_EQ(i, count++);
          again[t * cols + c] = found.values[i];
        });
        ASSERT_EQ(again, x);
        ASSERT_EQ(count, found.count());
      }
    }
  }
}

// In float32, so with the error of sums only.
TEST_P(Sparse, LinearEqualsTheDenseProductForEveryType) {
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    const int64_t block = Traits(dtype).block_elements;
    for (auto [rows, outputs, cols] :
         {std::tuple<int64_t, int64_t, int64_t>{9, 1, block}, {33, 70, 3 * block}, {40, 64, 768}}) {
      const TestMatrix w = RandomMatrix(dtype, outputs, cols, random_, 2 * block);
      for (double share : {0.05, 1.0}) {
        const auto x = Rare(rows, cols, share);
        for (int threads : {1, 3}) {
          ThreadPool pool(threads);
          const Ops ops(table(), pool, Precision::kAuto);
          Arena::Scope scope(arena_);
          const SparseRows found = Find(x, rows, ops);
          std::vector<float> y(rows * (outputs + 1), -77.0f);
          SparseLinear(w.matrix, found, View(y.data(), rows, outputs, outputs + 1), ops);
          for (int64_t t = 0; t < rows; ++t) {
            for (int64_t r = 0; r < outputs; ++r) {
              double expected = 0, magnitude = 0;
              for (int64_t c = 0; c < cols; ++c) {
                const double product = w.values[r * cols + c] * x[t * cols + c];
                expected += product;
                magnitude += std::fabs(product);
              }
              ASSERT_NEAR(y[t * (outputs + 1) + r], expected, 2e-6 * magnitude)
                  << Name(dtype) << " row " << t << " output " << r << " of " << cols;
            }
            ASSERT_EQ(y[t * (outputs + 1) + outputs], -77.0f);
          }
        }
      }
    }
  }
}

TEST_P(Sparse, ANanSpoilsItsRowOfALinearProduct) {
  const int64_t rows = 12, cols = 512;
  const TestMatrix w = RandomMatrix(DType::kQ4_0, 70, cols, random_);
  auto x = Rare(rows, cols, 0.05);
  x[5 * cols + 300] = NAN;
  ThreadPool pool(1);
  const Ops ops(table(), pool);
  const SparseRows found = Find(x, rows, ops);
  std::vector<float> y(rows * 70);
  SparseLinear(w.matrix, found, View(y.data(), rows, 70), ops);
  for (int64_t i = 0; i < rows * 70; ++i) ASSERT_EQ(std::isnan(y[i]), i / 70 == 5) << i;
}

// x is rounded as by the dense int8 products: 0.53 %.
TEST_P(Sparse, SampledEqualsTheDenseProductWhereItIsWanted) {
  if (table().sampled == nullptr) return;
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (table().sampled->multiply[type] == nullptr) continue;
    const int64_t block = Traits(dtype).block_elements;
    for (auto [rows, outputs, cols] : {std::tuple<int64_t, int64_t, int64_t>{9, 5, block},
                                       {33, 70, 3 * block},
                                       {20, 300, 768},
                                       {9, 70, 1280}}) {
      const TestMatrix w = RandomMatrix(dtype, outputs + 3, cols, random_);
      const auto x = random_.Normals(rows * (cols + 5));
      const ConstView in(x.data(), rows, cols, cols + 5);
      for (double share : {0.1, 1.0}) {
        const auto gate = Rare(rows, outputs, share);
        std::vector<float> first;
        for (int threads : {1, 3}) {
          ThreadPool pool(threads);
          const Ops ops(table(), pool, Precision::kAuto);
          Arena::Scope scope(arena_);
          const SparseRows at = Find(gate, rows, ops);
          std::vector<float> out(static_cast<size_t>(at.count()) + 1, -77.0f);
          ASSERT_TRUE(SampledLinear(w.matrix, in, at, out.data(), ops));
          ASSERT_EQ(out.back(), -77.0f);
          if (!first.empty()) {
            ASSERT_EQ(out, first) << threads << " threads";
            continue;
          }
          first = out;
          double squares = 0, expected_squares = 0;
          ForPlaces(at, [&](int64_t i, int64_t t, int64_t r) {
            double expected = 0, magnitude = 0, square = 0;
            for (int64_t c = 0; c < cols; ++c) {
              const double product = w.values[r * cols + c] * x[t * (cols + 5) + c];
              expected += product;
              magnitude += std::fabs(product);
              square += product * product;
            }
            ASSERT_NEAR(out[i], expected, magnitude / 64) << Name(dtype) << " " << t << ", " << r;
            squares += (out[i] - expected) * (out[i] - expected);
            expected_squares += square;
          });
          // Of a few places there is no mean to speak of.
          if (at.count() < 40) continue;
          EXPECT_LE(squares, expected_squares * 0.008 * 0.008) << Name(dtype);
        }
      }
    }
  }
}

TEST_P(Sparse, ASampledResultDoesNotDependOnItsCompany) {
  if (table().sampled == nullptr) return;
  const int64_t rows = 60, outputs = 600, cols = 1056;
  const TestMatrix w = RandomMatrix(DType::kQ4_0, outputs, cols, random_);
  const auto x = random_.Normals(rows * cols);
  ThreadPool pool(2);
  const Ops ops(table(), pool, Precision::kAuto);
  const SparseRows all = Find(std::vector<float>(rows * outputs, 1.0f), rows, ops);
  std::vector<float> every(rows * outputs), dense(rows * outputs);
  ASSERT_TRUE(SampledLinear(w.matrix, ConstView(x.data(), rows, cols), all, every.data(), ops));
  ForPlaces(all, [&](int64_t i, int64_t t, int64_t r) { dense[t * outputs + r] = every[i]; });
  for (auto [begin, count] : {std::pair<int64_t, int64_t>{0, 9}, {7, 50}, {59, 1}}) {
    Arena::Scope scope(arena_);
    const SparseRows some = Find(Rare(count, outputs, 0.07), count, ops);
    std::vector<float> out(some.count());
    ASSERT_TRUE(SampledLinear(w.matrix, ConstView(x.data() + begin * cols, count, cols), some,
                              out.data(), ops));
    ForPlaces(some, [&](int64_t i, int64_t t, int64_t r) {
      ASSERT_EQ(out[i], dense[(begin + t) * outputs + r]) << t << ", " << r;
    });
  }
}

TEST_P(Sparse, NanAndInfinityStayInTheirRowOfASample) {
  if (table().sampled == nullptr) return;
  const int64_t rows = 12, outputs = 70, cols = 544;
  const TestMatrix w = RandomMatrix(DType::kQ4_0, outputs, cols, random_);
  auto x = random_.Normals(rows * cols);
  x[5 * cols + 17] = NAN;
  x[7 * cols + 543] = INFINITY;
  for (int64_t c = 0; c < cols; ++c) x[9 * cols + c] = 0;
  ThreadPool pool(1);
  const Ops ops(table(), pool, Precision::kAuto);
  const SparseRows all = Find(std::vector<float>(rows * outputs, 1.0f), rows, ops);
  std::vector<float> out(rows * outputs);
  ASSERT_TRUE(SampledLinear(w.matrix, ConstView(x.data(), rows, cols), all, out.data(), ops));
  ForPlaces(all, [&](int64_t i, int64_t t, int64_t) {
    if (t == 5 || t == 7) {
      ASSERT_TRUE(std::isnan(out[i]));
    } else {
      ASSERT_TRUE(std::isfinite(out[i]));
      ASSERT_TRUE(t != 9 || out[i] == 0);
    }
  });
}

TEST_P(Sparse, ReadsAndWritesNothingPastItsBuffers) {
  ThreadPool pool(1);
  const Ops ops(table(), pool, Precision::kAuto);
  for (DType dtype : {DType::kQ4_0, DType::kQ8_0, DType::kQ6_K, DType::kF32}) {
    const int64_t block = Traits(dtype).block_elements, cols = block == 1 ? 37 : 3 * block;
    for (int64_t outputs : {1, 65, 257}) {
      Arena::Scope scope(arena_);
      const int64_t rows = 11;
      const TestMatrix up = RandomMatrix(dtype, outputs, cols, random_, 0, 0);
      AgainstPage up_bytes(up.bytes), x(random_.Normals(rows * cols));
      Matrix w = up.matrix;
      w.data = up_bytes.bytes();
      const SparseRows wanted = Find(Rare(rows, outputs, 0.3), rows, ops);
      AgainstPage out(std::vector<float>(wanted.count()));
      SampledLinear(w, ConstView(x.floats(), rows, cols), wanted, out.floats(), ops);
      const SparseRows left = Find(Rare(rows, cols, 0.3), rows, ops);
      AgainstPage y(std::vector<float>(rows * outputs));
      SparseLinear(w, left, View(y.floats(), rows, outputs), ops);
    }
  }
}

}  // namespace
}  // namespace gemma3n
