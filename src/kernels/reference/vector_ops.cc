// Operations on one row of float32.
#include <cmath>

#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

float GeluTanh(float x) {
  constexpr float kSqrt2OverPi = 0.7978845608028654f;
  return 0.5f * x * (1.0f + std::tanh(kSqrt2OverPi * (x + 0.044715f * x * x * x)));
}

}  // namespace

float Dot(const float* a, const float* b, int64_t n) {
  // Eight partial sums: less rounding than one, and any compiler vectorises it.
  float sum[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) sum[j] += a[i + j] * b[i + j];
  }
  for (int j = 0; i < n; ++i, ++j) sum[j] += a[i] * b[i];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

float SumSquares(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return static_cast<float>(sum);
}

void RmsNorm(const float* x, const float* w, float* y, int64_t n, float eps) {
  const float factor = 1.0f / std::sqrt(SumSquares(x, n) / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; ++i) y[i] = w ? x[i] * factor * w[i] : x[i] * factor;
}

void RmsNormGelu(const float* x, const float* w, float* y, int64_t n, float eps) {
  RmsNorm(x, w, y, n, eps);
  for (int64_t i = 0; i < n; ++i) y[i] = GeluTanh(y[i]);
}

void Add(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

void Axpy(float a, const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

void Mix(const float* coefs, int64_t count, const float* const* x, float* const* y, int64_t n) {
  for (int64_t a = 0; a < count; ++a) {
    for (int64_t i = 0; i < n; ++i) y[a][i] = x[a][i];
    for (int64_t b = 0; b < count; ++b) Axpy(coefs[a * count + b], x[b], y[a], n);
  }
}

void Correct(const float* coefs, int64_t count, int64_t active, const float* x, float* const* y,
             int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float change = x[i] - y[active][i];
    for (int64_t a = 0; a < count; ++a) y[a][i] += coefs[a] * change;
  }
}

void Scale(float a, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] *= a;
}

void Mul(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] *= x[i];
}

void GeluMul(const float* g, const float* u, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = GeluTanh(g[i]) * u[i];
}

void SigmoidMul(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] / (1.0f + std::exp(-b[i]));
}

void MulAdd(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += a[i] * b[i];
}

void Softmax(float* x, int64_t n) {
  if (n == 0) return;
  float max = x[0];
  for (int64_t i = 1; i < n; ++i) max = x[i] > max ? x[i] : max;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - max);
    sum += x[i];
  }
  Scale(static_cast<float>(1.0 / sum), x, n);
}

void Softcap(float* x, int64_t n, float cap) {
  for (int64_t i = 0; i < n; ++i) x[i] = cap * std::tanh(x[i] / cap);
}

void GaussianTopk(float* x, int64_t n, float z) {
  if (n == 0) return;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const auto cut = static_cast<float>(mean + std::sqrt(squares / static_cast<double>(n)) * z);
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i] - cut;
    x[i] = v < 0 ? 0 : v;  // written so that NaN stays NaN
  }
}

void Rope(float* x, const float* cos, const float* sin, int64_t n) {
  const int64_t half = n / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

}  // namespace gemma3n::reference
