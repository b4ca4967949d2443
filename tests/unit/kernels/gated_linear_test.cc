// An MLP at one go, for every table and type that offers it: what its products, one after the
// other, give. Those have tests of their own.
#include "kernels/gated_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "base/thread_pool.h"
#include "kernel_test_util.h"
#include "kernels/many_rows.h"

namespace gemma3n {
namespace {

constexpr float kMostlyZeros = 1.6448536f;  // 95 %

struct Mlp {
  TestMatrix gate, up, down;
  Mlp(DType dtype, int64_t hidden, int64_t width, Random& random)
      : gate(RandomMatrix(dtype, width, hidden, random)),
        up(RandomMatrix(dtype, width, hidden, random)),
        down(RandomMatrix(dtype, hidden, width, random)) {}
};

// Root mean square of what the two are apart over that of the second.
double Apart(const std::vector<float>& y, const std::vector<float>& expected) {
  double difference = 0, magnitude = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    difference += double{y[i] - expected[i]} * (y[i] - expected[i]);
    magnitude += double{expected[i]} * expected[i];
  }
  return std::sqrt(difference / magnitude);
}

// The stages one after the other.
std::vector<float> Staged(const GatedMlp& mlp, const ConstView& x, const Ops& ops) {
  const int64_t width = mlp.gate.rows, hidden = mlp.down.rows;
  std::vector<float> gate(x.rows * width), up(x.rows * width), y(x.rows * hidden);
  const View g(gate.data(), x.rows, width), u(up.data(), x.rows, width);
  ops.LinearEach({{mlp.gate, g}, {mlp.up, u}}, x);
  for (int64_t t = 0; mlp.sparsity_z != 0 && t < x.rows; ++t)
    ops.kernels().gaussian_topk(g.row(t), width, mlp.sparsity_z);
  ops.LinearGated(mlp.down, g, u, View(y.data(), x.rows, hidden));
  return y;
}

std::vector<float> AtOneGo(const GatedMlp& mlp, const ConstView& x, const Ops& ops) {
  std::vector<float> y(x.rows * mlp.down.rows, -77.0f);
  EXPECT_TRUE(GatedLinear(mlp, x, View(y.data(), x.rows, mlp.down.rows), ops));
  return y;
}

using Param = std::pair<const KernelTable*, DType>;

std::vector<Param> TablesAndTypes() {
  std::vector<Param> all;
  for (const KernelTable* table : AvailableKernels()) {
    if (table->many_rows == nullptr || table->many_rows->gated == nullptr) continue;
    for (int type = 0; type < kDTypeCount; ++type) {
      if (table->many_rows->gated->both[type] != nullptr)
        all.emplace_back(table, static_cast<DType>(type));
    }
  }
  return all;
}

class GatedLinearTest : public testing::TestWithParam<Param> {
 protected:
  const KernelTable& table() const { return *GetParam().first; }
  DType dtype() const { return GetParam().second; }
  int64_t least_rows() const {
    return table().many_rows->gated->least_rows[static_cast<int>(dtype())];
  }
  Random random_{11};
};

// Widths of less than a group of rows of W, of several and a part of one, of less than a slab.
TEST_P(GatedLinearTest, IsWhatItsProductsGive) {
  const int64_t block = std::max<int64_t>(Traits(dtype()).block_elements, 32);
  for (const int64_t hidden : {block, 3 * block + 512 / block * block}) {
    for (const int64_t width : {block, 5 * block, 1024 + block, int64_t{1280}}) {
      const Mlp w(dtype(), hidden, width, random_);
      const auto x = random_.Normals(600 * hidden);
      for (const float z : {0.0f, kMostlyZeros}) {
        const GatedMlp mlp = {w.gate.matrix, w.up.matrix, w.down.matrix, z};
        for (const int64_t rows : {17, 31, 32, 33, 100, 600}) {
          if (rows == 600 && width != 1280) continue;
          if (rows < least_rows()) continue;
          const ConstView in(x.data(), rows, hidden);
          ThreadPool one(1), three(3);
          const Ops ops(table(), one, Precision::kAuto), others(table(), three, Precision::kAuto);
          const auto y = AtOneGo(mlp, in, ops), staged = Staged(mlp, in, ops);
          if (z == 0) {
            ASSERT_EQ(y, staged) << hidden << " x " << width << ", " << rows << " rows";
          } else {
            // The cut is found from sums in another order: by a unit in the last place of float32,
            // so that here and there a product is rounded to bfloat16 (to 0.4 %) the other way.
            ASSERT_LT(Apart(y, staged), 4e-4)
                << hidden << " x " << width << ", " << rows << " rows";
          }
          ASSERT_EQ(AtOneGo(mlp, in, others), y) << "three threads";
        }
      }
    }
  }
}

TEST_P(GatedLinearTest, ARowHasTheSameBitsInAnyCompany) {
  constexpr int64_t kHidden = 768, kWidth = 1280;
  const Mlp w(dtype(), kHidden, kWidth, random_);
  const auto x = random_.Normals(90 * kHidden);
  ThreadPool pool(2);
  const Ops ops(table(), pool, Precision::kAuto);
  for (const float z : {0.0f, kMostlyZeros}) {
    const GatedMlp mlp = {w.gate.matrix, w.up.matrix, w.down.matrix, z};
    const auto all = AtOneGo(mlp, ConstView(x.data(), 90, kHidden), ops);
    const auto some = AtOneGo(mlp, ConstView(x.data() + 41 * kHidden, 33, kHidden), ops);
    for (size_t i = 0; i < some.size(); ++i) ASSERT_EQ(some[i], all[41 * kHidden + i]) << i;
  }
}

// A mean far from zero beside the deviation, and a row with NaN, which stays alone.
TEST_P(GatedLinearTest, FindsTheCutOfEveryRow) {
  constexpr int64_t kHidden = 256, kWidth = 1024, kRows = 40;
  const Mlp w(dtype(), kHidden, kWidth, random_);
  auto x = random_.Normals(kRows * kHidden);
  for (int64_t i = 0; i < kHidden; ++i) x[3 * kHidden + i] = 1000.0f;
  std::fill_n(x.begin() + 5 * kHidden, kHidden, 0.0f);
  x[7 * kHidden + 9] = NAN;
  ThreadPool pool(2);
  const Ops ops(table(), pool, Precision::kAuto);
  const GatedMlp mlp = {w.gate.matrix, w.up.matrix, w.down.matrix, kMostlyZeros};
  const ConstView in(x.data(), kRows, kHidden);
  const auto y = AtOneGo(mlp, in, ops), staged = Staged(mlp, in, ops);
  for (int64_t t = 0; t < kRows; ++t) {
    const std::vector<float> row(y.begin() + t * kHidden, y.begin() + (t + 1) * kHidden),
        expected(staged.begin() + t * kHidden, staged.begin() + (t + 1) * kHidden);
    if (t == 7) {
      for (float v : row) ASSERT_TRUE(std::isnan(v));
    } else if (t == 5) {
      for (float v : row) ASSERT_EQ(v, 0);
    } else {
      ASSERT_LT(Apart(row, expected), 1e-3) << t;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GatedLinearTest, testing::ValuesIn(TablesAndTypes()),
                         [](const auto& kernel) {
                           return std::string(kernel.param.first->name) + "_" +
                                  Traits(kernel.param.second).name;
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GatedLinearTest);

TEST(GatedLinear, LeavesAloneWhatItDoesNotOffer) {
  Random random(5);
  const Mlp w(DType::kQ4_0, 64, 512, random), other(DType::kQ8_0, 64, 512, random);
  const TestMatrix odd = RandomMatrix(DType::kF32, 40, 64, random),
                   down = RandomMatrix(DType::kF32, 64, 40, random);
  const auto x = random.Normals(40 * 64);
  for (const KernelTable* table : AvailableKernels()) {
    ThreadPool pool(1);
    const Ops ops(*table, pool, Precision::kAuto), exact(*table, pool, Precision::kFloat32);
    std::vector<float> y(40 * 64, 5.0f);
    const auto go = [&](const GatedMlp& mlp, int64_t rows, const Ops& by) {
      return GatedLinear(mlp, ConstView(x.data(), rows, 64), View(y.data(), rows, 64), by);
    };
    const GatedMlp mlp = {w.gate.matrix, w.up.matrix, w.down.matrix, 0};
    EXPECT_FALSE(go(mlp, 40, exact)) << table->name;
    EXPECT_FALSE(go(mlp, 16, ops)) << "few rows, " << table->name;
    EXPECT_FALSE(go({w.gate.matrix, other.up.matrix, w.down.matrix, 0}, 40, ops)) << "types";
    EXPECT_FALSE(go({odd.matrix, odd.matrix, down.matrix, 0}, 40, ops)) << "a width of 40";
    EXPECT_EQ(y, std::vector<float>(40 * 64, 5.0f));
  }
}

}  // namespace
}  // namespace gemma3n
