// Every row operation of every table against double precision: all counts around the vector width,
// misaligned, at the edges of float, and with NaN.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <functional>
#include <limits>

#include "kernel_test_util.h"

namespace gemma3n {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class VectorOps : public EveryTable {
 protected:
  // Runs body(n, shift) for every count and several misalignments.
  static void ForCounts(const std::function<void(int64_t, int)>& body) {
    for (int64_t n = 0; n <= kMaxCount; ++n) {
      for (int shift : {0, 1, 3}) body(n, shift);
    }
    body(256, 0);
    body(2048, 1);
  }
  Random random_{17};
};

INSTANTIATE_TEST_SUITE_P(Tables, VectorOps, testing::ValuesIn(DistinctFloatKernels()), TableName);

TEST_P(VectorOps, DotAndSumSquares) {
  ForCounts([&](int64_t n, int shift) {
    const auto a = random_.Normals(n), b = random_.Normals(n);
    Guarded ga(a, shift), gb(b, 0);
    double dot = 0, squares = 0, magnitude = 0;
    for (int64_t i = 0; i < n; ++i) {
      dot += static_cast<double>(a[i]) * b[i];
      magnitude += std::fabs(static_cast<double>(a[i]) * b[i]);
      squares += static_cast<double>(a[i]) * a[i];
    }
    ASSERT_NEAR(table().dot(ga.data(), gb.data(), n), dot, 3e-7 * magnitude) << n;
    ASSERT_NEAR(table().sum_squares(ga.data(), n), squares, 5e-7 * squares) << n;
  });
}

TEST_P(VectorOps, Elementwise) {
  ForCounts([&](int64_t n, int shift) {
    const auto x = random_.Normals(n), y = random_.Normals(n);
    Guarded gx(x, shift), add(y, 0), axpy(y, 1), scale(y, shift), mul(y, shift);
    table().add(gx.data(), add.data(), n);
    table().axpy(-1.7f, gx.data(), axpy.data(), n);
    table().scale(0.3f, scale.data(), n);
    table().mul(gx.data(), mul.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(add[i], y[i] + x[i]);
      ASSERT_NEAR(axpy[i], y[i] - 1.7 * x[i], 1e-6);
      ASSERT_EQ(scale[i], 0.3f * y[i]);
      ASSERT_EQ(mul[i], x[i] * y[i]);
    }
  });
}

// Rows mixed and corrected at one go: the bits of one axpy after the other.
TEST_P(VectorOps, MixAndCorrect) {
  ForCounts([&](int64_t n, int shift) {
    for (int64_t count : {1, 2, 4, 5}) {
      const auto coefs = random_.Normals(count * count), added = random_.Normals(n);
      std::vector<std::vector<float>> rows, mixed;
      std::deque<Guarded> x, y;
      std::vector<const float*> from;
      std::vector<float*> to;
      for (int64_t a = 0; a < count; ++a) {
        rows.push_back(random_.Normals(n));
        x.emplace_back(rows.back(), shift);
        y.emplace_back(std::vector<float>(static_cast<size_t>(n)), shift);
      }
      for (int64_t a = 0; a < count; ++a) {
        from.push_back(x[a].data());
        to.push_back(y[a].data());
        mixed.push_back(rows[a]);
        for (int64_t b = 0; b < count; ++b)
          table().axpy(coefs[a * count + b], rows[b].data(), mixed[a].data(), n);
      }
      table().mix(coefs.data(), count, from.data(), to.data(), n);
      for (int64_t a = 0; a < count; ++a) {
        for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[a][i], mixed[a][i]) << count << " " << a;
      }
      Guarded gadded(added, shift);
      auto change = added;
      table().axpy(-1, mixed[count / 2].data(), change.data(), n);
      table().correct(coefs.data(), count, count / 2, gadded.data(), to.data(), n);
      for (int64_t a = 0; a < count; ++a) {
        table().axpy(coefs[a], change.data(), mixed[a].data(), n);
        for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[a][i], mixed[a][i]) << count << " " << a;
      }
    }
  });
}

TEST_P(VectorOps, RmsNorm) {
  ForCounts([&](int64_t n, int shift) {
    if (n == 0) return;
    for (float size : {1.0f, 1e-20f, 1e10f}) {
      const auto x = random_.Normals(n, size), w = random_.Normals(n);
      double squares = 0;
      for (float v : x) squares += static_cast<double>(v) * v;
      const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-6);
      Guarded gx(x, shift), gw(w, 0), y(x, 1), plain(x, shift);
      table().rms_norm(gx.data(), gw.data(), y.data(), n, 1e-6f);
      table().rms_norm(plain.data(), nullptr, plain.data(), n, 1e-6f);  // in place
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(y[i], x[i] * factor * w[i], 5e-7 * std::fabs(x[i] * factor * w[i])) << n;
        ASSERT_NEAR(plain[i], x[i] * factor, 5e-7 * std::fabs(x[i] * factor)) << n;
      }
    }
  });
}

TEST_P(VectorOps, GeluMul) {
  const auto gelu = [](double x) {
    return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  ForCounts([&](int64_t n, int shift) {
    auto g = random_.Normals(n, 2);
    const auto u = random_.Normals(n);
    if (n > 4) g[0] = 0, g[1] = -20, g[2] = 1e-30f, g[3] = 1e20f, g[4] = -1e20f;
    Guarded gg(g, shift), gu(u, 1), y(g, 0);
    table().gelu_mul(gg.data(), gu.data(), y.data(), n);
    table().gelu_mul(gg.data(), gu.data(), gg.data(), n);  // y may be g
    for (int64_t i = 0; i < n; ++i) {
      const double expected = gelu(g[i]) * u[i];
      ASSERT_NEAR(y[i], expected, 3e-7 * std::fabs(g[i] > 0 ? expected : u[i])) << g[i];
      ASSERT_EQ(gg[i], y[i]);
    }
  });
}

TEST_P(VectorOps, RmsNormGeluIsTheOneAfterTheOther) {
  ForCounts([&](int64_t n, int shift) {
    if (n == 0) return;
    const auto x = random_.Normals(n, 3), w = random_.Normals(n), one = std::vector<float>(n, 1);
    Guarded gx(x, shift), gw(w, 1), y(x, 0), expected(x, 0), plain(x, shift), expected_plain(x, 0);
    table().rms_norm_gelu(gx.data(), gw.data(), y.data(), n, 1e-6f);
    table().rms_norm(gx.data(), gw.data(), expected.data(), n, 1e-6f);
    table().gelu_mul(expected.data(), one.data(), expected.data(), n);
    table().rms_norm_gelu(plain.data(), nullptr, plain.data(), n, 1e-6f);  // in place
    table().rms_norm(gx.data(), nullptr, expected_plain.data(), n, 1e-6f);
    table().gelu_mul(expected_plain.data(), one.data(), expected_plain.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(y[i], expected[i]) << n;
      ASSERT_EQ(plain[i], expected_plain[i]) << n;
    }
  });
}

TEST_P(VectorOps, GeluOverItsWholeRange) {
  std::vector<float> x;
  for (float v = -12; v < 12; v += 0.0007f) x.push_back(v);
  std::vector<float> one(x.size(), 1), y(x.size());
  table().gelu_mul(x.data(), one.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    const double expected =
        0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    ASSERT_NEAR(y[i], expected, 2e-7 * std::fabs(v) + 1e-9) << v;
  }
}

TEST_P(VectorOps, SigmoidMul) {
  ForCounts([&](int64_t n, int shift) {
    auto b = random_.Normals(n, 3);
    const auto a = random_.Normals(n);
    if (n > 5) b[0] = 0, b[1] = -80, b[2] = 1e-30f, b[3] = 1e20f, b[4] = -1e20f, b[5] = 80;
    Guarded ga(a, shift), gb(b, 1), y(a, 0);
    table().sigmoid_mul(ga.data(), gb.data(), y.data(), n);
    table().sigmoid_mul(ga.data(), gb.data(), gb.data(), n);  // y may be b
    for (int64_t i = 0; i < n; ++i) {
      const double expected = a[i] / (1 + std::exp(-static_cast<double>(b[i])));
      // An exponent is rounded once before it is taken: relative to its size.
      ASSERT_NEAR(y[i], expected, (3e-7 + 1e-7 * std::fabs(b[i])) * std::fabs(expected) + 1e-38)
          << b[i];
      ASSERT_EQ(gb[i], y[i]);
    }
    Guarded silu(b, shift);
    table().sigmoid_mul(silu.data(), silu.data(), silu.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      const double expected = b[i] / (1 + std::exp(-static_cast<double>(b[i])));
      ASSERT_NEAR(silu[i], expected, (3e-7 + 1e-7 * std::fabs(b[i])) * std::fabs(expected) + 1e-38)
          << b[i];
    }
  });
}

TEST_P(VectorOps, MulAdd) {
  ForCounts([&](int64_t n, int shift) {
    const auto a = random_.Normals(n), b = random_.Normals(n), y = random_.Normals(n);
    Guarded ga(a, shift), gb(b, 0), sum(y, 1);
    table().mul_add(ga.data(), gb.data(), sum.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      const double product = static_cast<double>(a[i]) * b[i];
      ASSERT_NEAR(sum[i], y[i] + product, 2e-7 * (std::fabs(y[i]) + std::fabs(product)));
    }
  });
}

TEST_P(VectorOps, Softmax) {
  ForCounts([&](int64_t n, int shift) {
    for (float spread : {1.0f, 30.0f, 300.0f}) {
      const auto x = random_.Normals(n, spread);
      float max = -INFINITY;
      double sum = 0;
      for (float v : x) max = std::max(max, v);
      // The difference is rounded to float32, as in the reference implementation.
      const auto exp = [&](float v) { return std::exp(static_cast<double>(v - max)); };
      for (float v : x) sum += exp(v);
      Guarded y(x, shift);
      table().softmax(y.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        const double expected = exp(x[i]) / sum;
        ASSERT_NEAR(y[i], expected, 4e-7 * expected + 1e-44) << n << " " << x[i] - max;
      }
    }
  });
}

TEST_P(VectorOps, SoftmaxExtremes) {
  std::vector<float> x = {-kInf, 3e38f, -3e38f, 3e38f, -1e-40f};
  table().softmax(x.data(), 5);
  EXPECT_EQ(x, (std::vector<float>{0, 0.5f, 0, 0.5f, 0}));
  std::vector<float> one = {-7e20f};
  table().softmax(one.data(), 1);
  EXPECT_EQ(one[0], 1);
}

TEST_P(VectorOps, Softcap) {
  ForCounts([&](int64_t n, int shift) {
    for (float spread : {1e-6f, 1.0f, 20.0f, 200.0f}) {
      const auto x = random_.Normals(n, spread);
      Guarded y(x, shift);
      table().softcap(y.data(), n, 30);
      for (int64_t i = 0; i < n; ++i) {
        const double expected = 30 * std::tanh(x[i] / 30.0);
        ASSERT_NEAR(y[i], expected, 4e-7 * std::fabs(expected)) << x[i];
      }
    }
  });
  std::vector<float> ends = {kInf, -kInf, 0.0f, -0.0f, 3e38f};
  table().softcap(ends.data(), 5, 30);
  EXPECT_EQ(ends, (std::vector<float>{30, -30, 0, 0, 30}));
  EXPECT_TRUE(std::signbit(ends[3]));
}

TEST_P(VectorOps, SoftcapIsContinuousAndMonotone) {
  float previous = -30;
  for (float x = -90; x < 90; x += 0.01f) {
    float y = x;
    table().softcap(&y, 1, 30);
    ASSERT_GE(y, previous - 4e-6f) << x;  // at most an ulp or two where two approximations meet
    previous = y;
  }
}

TEST_P(VectorOps, GaussianTopk) {
  ForCounts([&](int64_t n, int shift) {
    if (n == 0) return;
    for (float offset : {0.0f, 100.0f}) {
      auto x = random_.Normals(n);
      for (float& v : x) v += offset;
      double mean = 0, variance = 0;
      for (float v : x) mean += v / static_cast<double>(n);
      for (float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
      const double cut = mean + std::sqrt(variance) * 1.6448535919f;
      Guarded y(x, shift);
      table().gaussian_topk(y.data(), n, 1.6448535919f);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(y[i], std::max(x[i] - cut, 0.0), 1.2e-7 * (1 + offset)) << n;
      }
    }
  });
}

TEST_P(VectorOps, GaussianTopkKeepsAboutFivePercent) {
  auto x = random_.Normals(16384);
  table().gaussian_topk(x.data(), 16384, 1.6448535919f);
  const auto kept = std::count_if(x.begin(), x.end(), [](float v) { return v > 0; });
  EXPECT_NEAR(static_cast<double>(kept) / 16384, 0.05, 0.006);
}

TEST_P(VectorOps, Rope) {
  ForCounts([&](int64_t n, int shift) {
    const int64_t half = n / 2;
    const auto x = random_.Normals(2 * half), cos = random_.Normals(half),
               sin = random_.Normals(half);
    Guarded y(x, shift), gc(cos, 0), gs(sin, 1);
    table().rope(y.data(), gc.data(), gs.data(), 2 * half);
    for (int64_t i = 0; i < half; ++i) {
      const double a = x[i], b = x[i + half];
      ASSERT_NEAR(y[i], a * cos[i] - b * sin[i], 1e-6);
      ASSERT_NEAR(y[i + half], b * cos[i] + a * sin[i], 1e-6);
    }
  });
}

TEST_P(VectorOps, ReadsAndWritesNothingPastItsBuffers) {
  for (int64_t n = 1; n <= 2 * kMaxCount; ++n) {
    AgainstPage x(random_.Normals(n)), y(random_.Normals(n)), half(random_.Normals(n / 2));
    table().dot(x.floats(), y.floats(), n);
    table().rms_norm(x.floats(), x.floats(), y.floats(), n, 1e-6f);
    table().rms_norm_gelu(x.floats(), x.floats(), y.floats(), n, 1e-6f);
    table().add(x.floats(), y.floats(), n);
    table().axpy(0.1f, x.floats(), y.floats(), n);
    table().scale(0.5f, y.floats(), n);
    table().mul(x.floats(), y.floats(), n);
    table().gelu_mul(x.floats(), x.floats(), y.floats(), n);
    table().softcap(y.floats(), n, 30);
    table().gaussian_topk(y.floats(), n, 1);
    table().softmax(y.floats(), n);
    table().rope(y.floats(), half.floats(), half.floats(), n / 2 * 2);
  }
}

// NaN anywhere comes out where it went in, or everywhere when the operation mixes the row.
TEST_P(VectorOps, NanPropagates) {
  for (int64_t n : {1, 7, 16, 17, 35}) {
    for (int64_t at = 0; at < n; ++at) {
      auto x = random_.Normals(n);
      x[at] = kNan;
      const auto ones = std::vector<float>(static_cast<size_t>(n), 1.0f);
      EXPECT_TRUE(std::isnan(table().dot(x.data(), ones.data(), n)));
      EXPECT_TRUE(std::isnan(table().dot(ones.data(), x.data(), n)));
      EXPECT_TRUE(std::isnan(table().sum_squares(x.data(), n)));
      const auto all = [&](const char* op, const auto& run) {
        auto y = x;
        run(y.data());
        for (int64_t i = 0; i < n; ++i)
          ASSERT_TRUE(std::isnan(y[i])) << op << " " << i << " of " << n;
      };
      all("rms_norm", [&](float* y) { table().rms_norm(y, nullptr, y, n, 1e-6f); });
      all("softmax", [&](float* y) { table().softmax(y, n); });
      all("gaussian_topk", [&](float* y) { table().gaussian_topk(y, n, 1.6f); });
      const auto one = [&](const char* op, const auto& run) {
        auto y = x;
        run(y.data());
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(std::isnan(y[i]), i == at) << op << " " << i << " of " << n;
      };
      one("add", [&](float* y) { table().add(ones.data(), y, n); });
      one("axpy", [&](float* y) { table().axpy(2, ones.data(), y, n); });
      one("scale", [&](float* y) { table().scale(2, y, n); });
      one("mul", [&](float* y) { table().mul(ones.data(), y, n); });
      one("gelu_mul", [&](float* y) { table().gelu_mul(y, ones.data(), y, n); });
      one("gelu_mul, up", [&](float* y) { table().gelu_mul(ones.data(), y, y, n); });
      one("sigmoid_mul", [&](float* y) { table().sigmoid_mul(y, ones.data(), y, n); });
      one("sigmoid_mul, gate", [&](float* y) { table().sigmoid_mul(ones.data(), y, y, n); });
      one("mul_add", [&](float* y) { table().mul_add(ones.data(), x.data(), y, n); });
      one("softcap", [&](float* y) { table().softcap(y, n, 30); });
    }
  }
}

TEST_P(VectorOps, DenormalsAreNotFlushed) {
  for (int64_t n : {1, 16, 19}) {
    const std::vector<float> tiny(static_cast<size_t>(n), 3e-42f);
    auto y = tiny;
    table().scale(1.0f, y.data(), n);
    EXPECT_EQ(y, tiny);
    table().softcap(y.data(), n, 30);
    for (float v : y) EXPECT_NEAR(v, 3e-42, 2e-44);
    const std::vector<float> one(static_cast<size_t>(n), 1.0f);
    EXPECT_NEAR(table().dot(tiny.data(), one.data(), n), 3e-42 * static_cast<double>(n), 1e-43);
  }
}

}  // namespace
}  // namespace gemma3n
