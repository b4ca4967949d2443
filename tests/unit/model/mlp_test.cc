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
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  const auto random = [&](int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = 0.1f * normal(rng);
    return values;
  };
  TextConfig config;
  config.hidden_size = kD;
  auto arena = Arena::Create(1 << 20);
  ASSERT_TRUE(arena.ok());
  const Probe no_probe;
  const auto x = random(kFewRows * kD);
  const float z = NormalIcdf(0.95f);
  for (DType dtype : {DType::kQ4_0, DType::kQ8_0}) {  // of gate and up
    const Quantized gate(dtype, random(kF * kD), kF, kD), up(dtype, random(kF * kD), kF, kD);
    const Quantized down(DType::kQ4_0, random(kD * kF), kD, kF);
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
          double error = 0, norm = 0;
          for (size_t i = 0; i < got.size(); ++i) {
            error += (got[i] - expected[i]) * (got[i] - expected[i]);
            norm += expected[i] * expected[i];
          }
          // The dense product rounds what enters down to 15 bits, the sparse one does not.
          EXPECT_LT(std::sqrt(error / norm), 2e-4) << table->name;
          EXPECT_GT(norm, 0);
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

}  // namespace
}  // namespace gemma3n
