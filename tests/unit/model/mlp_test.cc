#include "model/text/mlp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/columns.h"
#include "kernels/dispatch.h"
#include "kernels/few_rows.h"
#include "kernels/quantize.h"
#include "kernels/reference/reference.h"
#include "model/text/sparse_mlp.h"

namespace gemma3n {
namespace {

constexpr int64_t kHidden = 6, kWidth = 40;

Matrix Stored(const std::vector<float>& values, int64_t rows, int64_t cols) {
  return {DType::kF32, rows, cols, cols * static_cast<int64_t>(sizeof(float)),
          reinterpret_cast<const std::byte*>(values.data())};
}

// The equation of HF Gemma3nTextMLP in double precision; z unset: a dense layer.
std::vector<double> Expected(const std::vector<float>& gate, const std::vector<float>& up,
                             const std::vector<float>& down, const std::vector<float>& x,
                             int64_t width, const double* z) {
  std::vector<double> g(width), u(width), y(kHidden);
  for (int64_t f = 0; f < width; ++f) {
    for (int64_t i = 0; i < kHidden; ++i) {
      g[f] += static_cast<double>(gate[f * kHidden + i]) * x[i];
      u[f] += static_cast<double>(up[f * kHidden + i]) * x[i];
    }
  }
  if (z != nullptr) {
    double mean = 0, square = 0;
    for (double v : g) mean += v / static_cast<double>(width);
    for (double v : g) square += (v - mean) * (v - mean) / static_cast<double>(width);
    for (double& v : g) v = std::max(v - (mean + *z * std::sqrt(square)), 0.0);
  }
  for (int64_t f = 0; f < width; ++f) {
    const double inner =
        std::sqrt(2 / 3.14159265358979323846) * (g[f] + 0.044715 * g[f] * g[f] * g[f]);
    const double value = 0.5 * g[f] * (1 + std::tanh(inner)) * u[f];
    for (int64_t i = 0; i < kHidden; ++i) y[i] += down[i * kWidth + f] * value;
  }
  return y;
}

TEST(Mlp, EverySparsityAndWidthFollowsTheEquation) {
  std::mt19937 rng(3);
  std::normal_distribution<float> normal;
  const auto random = [&](int64_t n) {
    std::vector<float> values(n);
    for (float& v : values) v = normal(rng);
    return values;
  };
  const auto gate = random(kWidth * kHidden), up = random(kWidth * kHidden);
  const auto down = random(kHidden * kWidth), x = random(kHidden);
  MlpWeights weights{Stored(gate, kWidth, kHidden), Stored(up, kWidth, kHidden),
                     Stored(down, kHidden, kWidth)};
  TextConfig config;
  config.hidden_size = kHidden;
  ThreadPool pool(1);
  auto arena = Arena::Create(1 << 16);
  ASSERT_TRUE(arena.ok());
  const Probe no_probe;
  for (const KernelTable* table : DistinctFloatKernels()) {
    const Ops ops(*table, pool);
    const StageContext ctx{config, ops, *arena, no_probe};
    for (int64_t width : {kWidth, kWidth / 2}) {
      for (double sparsity : {0.0, 0.05, 0.2, 0.4999, 0.6, 0.95}) {  // 0: dense
        const float z = sparsity == 0 ? 0.0f : NormalIcdf(static_cast<float>(sparsity));
        const double exact = z;
        const auto expected = Expected(gate, up, down, x, width, sparsity == 0 ? nullptr : &exact);
        std::vector<float> y(kHidden);
        ASSERT_TRUE(MlpForward(weights, width, z, ConstView(x.data(), 1, kHidden),
                               View(y.data(), 1, kHidden), ctx)
                        .ok());
        for (int64_t i = 0; i < kHidden; ++i) {
          EXPECT_NEAR(y[i], expected[i], 1e-4)
              << table->name << ", sparsity " << sparsity << ", width " << width;
        }
      }
    }
  }
}

class Random {
 public:
  explicit Random(unsigned seed) : rng_(seed) {}
  std::vector<float> operator()(int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = 0.1f * normal_(rng_);
    return values;
  }

 private:
  std::mt19937 rng_;
  std::normal_distribution<float> normal_;
};

// Root mean square of the difference over that of what is expected, which is not all zeros.
template <typename Expected>
double RelativeError(const std::vector<float>& y, const std::vector<Expected>& expected) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double wanted = expected[i], difference = y[i] - wanted;
    error += difference * difference;
    norm += wanted * wanted;
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(error / norm);
}

struct Quantized {
  std::vector<std::byte> bytes;
  Matrix matrix;
  Quantized(DType dtype, const std::vector<float>& values, int64_t rows, int64_t cols) {
    const int64_t row_bytes = RowBytes(dtype, cols);
    bytes.resize(static_cast<size_t>(rows * row_bytes));
    for (int64_t r = 0; r < rows; ++r)
      QuantizeRow(dtype, values.data() + r * cols, bytes.data() + r * row_bytes, cols);
    matrix = {dtype, rows, cols, row_bytes, bytes.data()};
  }
};

// Skipping what the gate cut off changes rounding only, and a row has the same bits in any company.
TEST(Mlp, SparseDecodingEqualsTheDenseProduct) {
  constexpr int64_t kD = 96, kF = 1024;
  Random random(5);
  TextConfig config;
  config.hidden_size = kD;
  auto arena = Arena::Create(1 << 20);
  ASSERT_TRUE(arena.ok());
  const Probe no_probe;
  const auto x = random(kFewRows * kD);
  const float z = NormalIcdf(0.95f);
  // Of gate and up, and of down: files often store some of the latter with more bits.
  for (auto [dtype, down_dtype] : {std::pair{DType::kQ4_0, DType::kQ4_0},
                                   {DType::kQ8_0, DType::kQ8_0},
                                   {DType::kBF16, DType::kBF16},
                                   {DType::kQ4_0, DType::kQ4_K},
                                   {DType::kQ4_0, DType::kQ6_K}}) {
    const Quantized gate(dtype, random(kF * kD), kF, kD), up(dtype, random(kF * kD), kF, kD);
    const Quantized down(down_dtype, random(kD * kF), kD, kF);
    MlpWeights dense;
    dense.gate = gate.matrix, dense.up = up.matrix, dense.down = down.matrix;
    MlpWeights sparse = dense;
    sparse.down_columns = std::make_shared<LazyColumns>(down.matrix);
    for (const KernelTable* table : AvailableKernels()) {
      for (int64_t width : {kF, kF / 2}) {
        std::vector<float> first;
        for (int threads : {1, 3}) {
          ThreadPool pool(threads);
          const Ops ops(*table, pool, Precision::kAuto);
          const StageContext ctx{config, ops, *arena, no_probe};
          const auto run = [&](const MlpWeights& w, int64_t begin, int64_t count) {
            std::vector<float> y(static_cast<size_t>(count * kD));
            EXPECT_TRUE(MlpForward(w, width, z, ConstView(x.data() + begin * kD, count, kD),
                                   View(y.data(), count, kD), ctx)
                            .ok());
            return y;
          };
          const auto expected = run(dense, 0, kFewRows), got = run(sparse, 0, kFewRows);
          // The dense product rounds what enters down to 15 bits, the sparse one does not.
          EXPECT_LT(RelativeError(got, expected), 2e-4) << table->name;
          for (int64_t t = 0; t < kFewRows; ++t) {
            const auto alone = run(sparse, t, 1);
            for (int64_t i = 0; i < kD; ++i) ASSERT_EQ(alone[i], got[t * kD + i]) << table->name;
          }
          if (first.empty()) first = got;
          ASSERT_EQ(got, first) << table->name << ", " << threads << " threads";
        }
      }
    }
  }
}

// y of the MLP in double precision: what is left of the gate as the stage itself has it (a value at
// the edge of the cut may fall either way), all else by the equation.
std::vector<double> Exact(const MlpWeights& w, int64_t width, const View& gate,
                          const std::vector<float>& x) {
  const auto row = [](const Matrix& m, int64_t r, int64_t cols) {
    std::vector<float> values(static_cast<size_t>(m.cols));
    reference::kTable.dequantize[static_cast<int>(m.dtype)](m.row(r), values.data(), m.cols);
    values.resize(static_cast<size_t>(cols));
    return values;
  };
  const int64_t d = w.down.rows;
  std::vector<double> product(static_cast<size_t>(gate.rows * width));
  for (int64_t f = 0; f < width; ++f) {
    const auto up = row(w.up, f, d);
    for (int64_t t = 0; t < gate.rows; ++t) {
      const double g = gate.row(t)[f];
      if (g == 0) continue;
      double u = 0;
      for (int64_t i = 0; i < d; ++i) u += double{up[i]} * x[t * d + i];
      const double inner = std::sqrt(2 / 3.14159265358979323846) * (g + 0.044715 * g * g * g);
      product[t * width + f] = 0.5 * g * (1 + std::tanh(inner)) * u;
    }
  }
  std::vector<double> y(static_cast<size_t>(gate.rows * d));
  for (int64_t i = 0; i < d; ++i) {
    const auto down = row(w.down, i, width);
    for (int64_t t = 0; t < gate.rows; ++t) {
      for (int64_t f = 0; f < width; ++f) y[t * d + i] += down[f] * product[t * width + f];
    }
  }
  return y;
}

// A prompt leaves out what the gate cut off: within the errors of the tables' prompts, whose
// products with up round x to eight bits (docs/KERNELS.md), and the same bits for any company of as
// many rows or more and on any number of threads.
TEST(Mlp, SparsePromptsFollowTheEquation) {
  constexpr int64_t kD = 96, kF = 1280;
  Random random(6);
  TextConfig config;
  config.hidden_size = kD;
  auto arena = Arena::Create(16 << 20);
  ASSERT_TRUE(arena.ok());
  const auto x = random(600 * kD);
  const float z = NormalIcdf(0.95f);
  for (DType dtype : {DType::kQ4_0, DType::kQ8_0, DType::kBF16}) {
    const Quantized gate(dtype, random(kF * kD), kF, kD), up(dtype, random(kF * kD), kF, kD);
    const Quantized down(dtype, random(kD * kF), kD, kF);
    MlpWeights weights;
    weights.gate = gate.matrix, weights.up = up.matrix, weights.down = down.matrix;
    for (const KernelTable* table : AvailableKernels()) {
      for (int64_t width : {kF, kF / 2}) {
        std::vector<float> all;
        std::vector<float> cut;
        const Probe keep = [&](std::string_view, int, const ConstView& values) {
          cut.assign(values.data, values.data + values.rows * values.cols);
        };
        const auto run = [&](int64_t begin, int64_t rows, int threads) {
          ThreadPool pool(threads);
          const Ops ops(*table, pool, Precision::kAuto);
          const StageContext ctx{config, ops, *arena, keep};
          std::vector<float> y(static_cast<size_t>(rows * kD));
          EXPECT_TRUE(MlpForward(weights, width, z, ConstView(x.data() + begin * kD, rows, kD),
                                 View(y.data(), rows, kD), ctx)
                          .ok());
          return y;
        };
        for (int64_t rows : {9, 31, 33, 100, 600}) {
          if (rows == 600 && (dtype != DType::kQ4_0 || width != kF)) continue;
          const auto y = run(0, rows, 1);
          const auto expected = Exact(weights, width, View(cut.data(), rows, width), x);
          EXPECT_LT(RelativeError(y, expected), 0.012) << table->name << ", " << rows << " rows";
          EXPECT_EQ(run(0, rows, 3), y) << table->name << ", " << rows << " rows";
          if (rows == 100) all = y;
        }
        const auto some = run(40, 60, 2);
        for (size_t i = 0; i < some.size(); ++i)
          ASSERT_EQ(some[i], all[40 * kD + i]) << table->name << " " << i;
      }
    }
  }
}

// Gates of which nothing or everything is left, and NaN, go the same way.
TEST(Mlp, SparsePromptsBearEveryGate) {
  constexpr int64_t kD = 64, kF = 512, kRows = 40;
  Random random(7);
  const Quantized up(DType::kQ4_0, random(kF * kD), kF, kD);
  const Quantized down(DType::kQ4_0, random(kD * kF), kD, kF);
  MlpWeights weights;
  weights.up = up.matrix, weights.down = down.matrix;
  TextConfig config;
  config.hidden_size = kD;
  auto arena = Arena::Create(8 << 20);
  ASSERT_TRUE(arena.ok());
  const Probe no_probe;
  const auto x = random(kRows * kD);
  auto gate = random(kRows * kF);  // row 0: everything is left
  std::fill_n(gate.begin() + 3 * kF, kF, 0.0f);
  gate[5 * kF + 77] = NAN;
  const auto before = gate;
  for (const KernelTable* table : AvailableKernels()) {
    ThreadPool pool(2);
    const Ops ops(*table, pool, Precision::kAuto);
    const StageContext ctx{config, ops, *arena, no_probe};
    gate = before;
    std::vector<float> y(kRows * kD);
    SparseMlp(weights, ConstView(x.data(), kRows, kD), View(gate.data(), kRows, kF),
              View(y.data(), kRows, kD), ctx);
    gate = before;
    const auto expected = Exact(weights, kF, View(gate.data(), kRows, kF), x);
    for (int64_t t = 0; t < kRows; ++t) {
      double error = 0, norm = 0;
      for (int64_t i = t * kD; i < (t + 1) * kD; ++i) {
        ASSERT_TRUE(t != 3 || y[i] == 0) << table->name;
        ASSERT_EQ(std::isnan(y[i]), t == 5) << table->name;
        error += (y[i] - expected[i]) * (y[i] - expected[i]);
        norm += expected[i] * expected[i];
      }
      EXPECT_TRUE(t == 5 || error <= 0.012 * 0.012 * norm) << table->name << " " << t;
    }
  }
}

}  // namespace
}  // namespace gemma3n
