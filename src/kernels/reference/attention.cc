// The pieces of attention; what each computes is in attention_kernels.h.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {
void AttentionScores(const float* q, int64_t q_stride, int64_t heads, const float* k, int64_t keys,
                     int64_t head_dim, float* scores, int64_t stride) {
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t j = 0; j < keys; ++j) {
      scores[h * stride + j] = Dot(q + h * q_stride, k + j * head_dim, head_dim);
    }
  }
}

void AttentionValues(const float* p, int64_t stride, int64_t heads, const float* v, int64_t keys,
                     int64_t head_dim, float* out, int64_t out_stride) {
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t j = 0; j < keys; ++j) {
      Axpy(p[h * stride + j], v + j * head_dim, out + h * out_stride, head_dim);
    }
  }
}

float Exponentials(float* x, int64_t n, float* max) {
  *max = -FLT_MAX;
  for (int64_t i = 0; i < n; ++i) *max = x[i] > *max ? x[i] : *max;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i] = std::exp(x[i] - *max));
  return static_cast<float>(sum);
}

void Blend(float a, float* y, float b, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a * y[i] + b * x[i];
}

void StoreF16(const float* x, std::byte* row, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t half = FloatToHalf(x[i]);
    std::memcpy(row + 2 * i, &half, sizeof(half));
  }
}

void StoreQ8_0(const float* x, std::byte* row, int64_t n) {
  auto* block = reinterpret_cast<BlockQ8_0*>(row);
  for (int64_t b = 0; b < n; b += 32, x += 32, ++block) {
    float max = 0, odd = 0;  // odd: NaN where a value is not finite
    for (int i = 0; i < 32; ++i) {
      max = std::max(max, std::fabs(x[i]));
      odd += 0.0f * x[i];
    }
    const uint16_t scale = FloatToHalf(max / 127.0f + odd);
    const float d = HalfToFloat(scale), inverse = d > 0 ? 1.0f / d : 0.0f;
    std::memcpy(block->d, &scale, sizeof(scale));
    for (int i = 0; i < 32; ++i) {
      const float level = std::nearbyint(x[i] * inverse);
      block->qs[i] = static_cast<int8_t>(level < 127.0f ? std::max(level, -127.0f) : 127.0f);
    }
  }
}

}  // namespace gemma3n::reference
