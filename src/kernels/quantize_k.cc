// K-quants by weighted least squares. The weight of a value is rms + |x|: an error on a large value
// costs more, because large weights carry more of the output. Per sub-block: for several guesses of
// the range, round to levels, solve for the scale (and offset) that fit these levels best, keep the
// best guess. Then the sub-blocks' scales are rounded to the super-block's grid, trying the
// neighbouring grid points as well.
#include "kernels/quantize_k.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace gemma3n {
namespace {

// To the nearest integer, |v| < 2^22, in two additions that any compiler vectorises.
float Round(float v) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
  return (v + kMagic) - kMagic;
}

float Clamp(float v, float low, float high) { return std::min(std::max(v, low), high); }

// Stores the nearest finite half and returns it.
float StoreHalf(float value, uint8_t* p) {
  const uint16_t half = FloatToHalf(Clamp(value, -65504, 65504));
  std::memcpy(p, &half, sizeof(half));
  return HalfToFloat(half);
}

// Sums of products over a sub-block, the levels q and the values x under the weights w.
struct Sums {
  double w = 0, q = 0, qq = 0, x = 0, qx = 0, xx = 0;
};

template <int N>
struct SubBlock {
  const float* x;
  float weight[N];
  float lowest, highest;

  explicit SubBlock(const float* values) : x(values), lowest(values[0]), highest(values[0]) {
    float squares = 0;
    for (int i = 0; i < N; ++i) {
      squares += x[i] * x[i];
      lowest = std::min(lowest, x[i]);
      highest = std::max(highest, x[i]);
    }
    const float rms = std::sqrt(squares / N);
    for (int i = 0; i < N; ++i) weight[i] = rms + std::fabs(x[i]);
  }

  // Levels of x under x ~ scale * q - min, given 1 / scale.
  void Levels(float inverse, float min, float low, float high, float* q) const {
    for (int i = 0; i < N; ++i) q[i] = Clamp(Round((x[i] + min) * inverse), low, high);
  }

  Sums Accumulate(const float* q) const {
    constexpr int kLanes = 4;  // independent partial sums, so that the loop vectorises
    float sum[6][kLanes] = {};
    for (int i = 0; i < N; i += kLanes) {
      for (int j = 0; j < kLanes; ++j) {
        const float w = weight[i + j], wq = w * q[i + j], wx = w * x[i + j];
        sum[0][j] += w;
        sum[1][j] += wq;
        sum[2][j] += wq * q[i + j];
        sum[3][j] += wx;
        sum[4][j] += wq * x[i + j];
        sum[5][j] += wx * x[i + j];
      }
    }
    const auto total = [](const float* s) {
      return static_cast<double>(s[0]) + s[1] + s[2] + s[3];
    };
    return {total(sum[0]), total(sum[1]), total(sum[2]),
            total(sum[3]), total(sum[4]), total(sum[5])};
  }

  // Weighted squared error of x ~ scale * q - min.
  float Error(float scale, float min, const float* q) const {
    float sum[4] = {};
    for (int i = 0; i < N; i += 4) {
      for (int j = 0; j < 4; ++j) {
        const float e = scale * q[i + j] - min - x[i + j];
        sum[j] += weight[i + j] * e * e;
      }
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
  }
};

struct Fit {
  float scale = 0, min = 0;
  double error = std::numeric_limits<double>::infinity();
};

// The best scale and min >= 0 for given levels.
Fit SolveAffine(const Sums& s) {
  const double det = s.w * s.qq - s.q * s.q;
  double scale = 0, min = -1;
  if (det > 0) {
    scale = (s.w * s.qx - s.x * s.q) / det;
    min = (scale * s.q - s.x) / s.w;
  }
  if (min < 0) {
    min = 0;
    scale = s.qq > 0 ? s.qx / s.qq : 0;
  }
  const double error = s.xx + scale * scale * s.qq + min * min * s.w - 2 * scale * s.qx +
                       2 * min * s.x - 2 * scale * min * s.q;
  return {static_cast<float>(scale), static_cast<float>(min), error};
}

constexpr int kRangeGuesses = 13;
constexpr int kRefinements = 3;

Fit FitAffine(const SubBlock<32>& b) {
  const float low = std::min(b.lowest, 0.0f), range = b.highest - low;
  const float unit = 1.0f / range;
  if (!std::isfinite(unit))
    return {0, -low, 0};  // one value, or a range below float's normal numbers
  Fit best;
  float q[32];
  for (int k = 0; k < kRangeGuesses; ++k) {
    b.Levels((14.0f + 2.0f * k / (kRangeGuesses - 1)) * unit, -low, 0, 15, q);
    const Fit fit = SolveAffine(b.Accumulate(q));
    if (fit.error < best.error) best = fit;
  }
  for (int k = 0; k < kRefinements && best.scale > 0; ++k) {
    b.Levels(1.0f / best.scale, best.min, 0, 15, q);
    const Fit fit = SolveAffine(b.Accumulate(q));
    if (!(fit.error < best.error)) break;
    best = fit;
  }
  return best;
}

// Scale of x ~ scale * q, q in -32 .. 31, either sign.
Fit FitSymmetric(const SubBlock<16>& b) {
  const float extreme = -b.lowest > b.highest ? b.lowest : b.highest;
  const float unit = 1.0f / extreme;
  if (!std::isfinite(unit)) return {0, 0, 0};
  Fit best;
  float q[16];
  for (int k = 0; k < kRangeGuesses; ++k) {  // the extreme near level -32, whichever its sign
    b.Levels(-(31.0f + 2.0f * k / (kRangeGuesses - 1)) * unit, 0, -32, 31, q);
    const Sums s = b.Accumulate(q);
    if (!(s.qq > 0)) continue;
    const double scale = s.qx / s.qq, error = s.xx - scale * s.qx;
    if (error < best.error) best = {static_cast<float>(scale), 0, error};
  }
  return best;
}

// Levels of the sub-block at the grid point (scale, min) next to the wanted ones that fits best.
struct GridChoice {
  int scale = 0, min = 0;
};

GridChoice ChooseOnGrid(const SubBlock<32>& b, const Fit& fit, float d, float dmin, float* levels) {
  GridChoice best;
  std::memset(levels, 0, 32 * sizeof(float));
  float best_error = std::numeric_limits<float>::infinity(), q[32];
  const int scale0 = d > 0 ? static_cast<int>(Round(std::min(fit.scale / d, 63.0f))) : 0;
  const int min0 = dmin > 0 ? static_cast<int>(Round(std::min(fit.min / dmin, 63.0f))) : 0;
  for (int scale = std::max(0, scale0 - 1); scale <= std::min(63, scale0 + 1); ++scale) {
    for (int min = std::max(0, min0 - 1); min <= std::min(63, min0 + 1); ++min) {
      const float step = d * scale, offset = dmin * min, inverse = 1.0f / step;
      b.Levels(std::isfinite(inverse) ? inverse : 0, offset, 0, 15, q);
      const float error = b.Error(step, offset, q);
      if (error < best_error) {
        best_error = error;
        best = {scale, min};
        std::memcpy(levels, q, sizeof(q));
      }
    }
  }
  return best;
}

int ChooseOnGrid(const SubBlock<16>& b, const Fit& fit, float d, float* levels) {
  int best = 0;
  std::memset(levels, 0, 16 * sizeof(float));
  float best_error = std::numeric_limits<float>::infinity(), q[16];
  const int scale0 = d != 0 ? static_cast<int>(Round(Clamp(fit.scale / d, -128, 127))) : 0;
  for (int scale = std::max(-128, scale0 - 1); scale <= std::min(127, scale0 + 1); ++scale) {
    const float step = d * scale, inverse = 1.0f / step;
    b.Levels(std::isfinite(inverse) ? inverse : 0, 0, -32, 31, q);
    const float error = b.Error(step, 0, q);
    if (error < best_error) {
      best_error = error;
      best = scale;
      std::memcpy(levels, q, sizeof(q));
    }
  }
  return best;
}

void PackScaleMin(int s, int scale, int min, uint8_t packed[12]) {
  if (s < 4) {
    packed[s] = static_cast<uint8_t>(packed[s] | scale);
    packed[s + 4] = static_cast<uint8_t>(packed[s + 4] | min);
  } else {
    packed[s + 4] = static_cast<uint8_t>((scale & 15) | (min & 15) << 4);
    packed[s - 4] = static_cast<uint8_t>(packed[s - 4] | (scale >> 4) << 6);
    packed[s] = static_cast<uint8_t>(packed[s] | (min >> 4) << 6);
  }
}

}  // namespace

void QuantizeQ4_K(const float* x, BlockQ4_K* block) {
  Fit fits[8];
  float max_scale = 0, max_min = 0;
  for (int s = 0; s < 8; ++s) {
    fits[s] = FitAffine(SubBlock<32>(x + 32 * s));
    max_scale = std::max(max_scale, fits[s].scale);
    max_min = std::max(max_min, fits[s].min);
  }
  std::memset(block, 0, sizeof(*block));
  const float d = StoreHalf(max_scale / 63, block->d), dmin = StoreHalf(max_min / 63, block->dmin);
  for (int s = 0; s < 8; ++s) {
    float q[32];
    const GridChoice choice = ChooseOnGrid(SubBlock<32>(x + 32 * s), fits[s], d, dmin, q);
    PackScaleMin(s, choice.scale, choice.min, block->scales);
    uint8_t* qs = block->qs + 32 * (s / 2);
    for (int i = 0; i < 32; ++i)
      qs[i] = static_cast<uint8_t>(qs[i] | static_cast<int>(q[i]) << 4 * (s % 2));
  }
}

void QuantizeQ6_K(const float* x, BlockQ6_K* block) {
  Fit fits[16];
  float extreme = 0;  // the scale of largest magnitude becomes -128
  for (int s = 0; s < 16; ++s) {
    fits[s] = FitSymmetric(SubBlock<16>(x + 16 * s));
    if (std::fabs(fits[s].scale) > std::fabs(extreme)) extreme = fits[s].scale;
  }
  std::memset(block, 0, sizeof(*block));
  const float d = StoreHalf(extreme / -128, block->d);
  for (int s = 0; s < 16; ++s) {
    float q[16];
    block->scales[s] = static_cast<int8_t>(ChooseOnGrid(SubBlock<16>(x + 16 * s), fits[s], d, q));
    for (int i = 0; i < 16; ++i) {
      const int j = 16 * s + i, half = j / 128, k = j % 128 / 32,
                level = static_cast<int>(q[i]) + 32;
      uint8_t& low = block->ql[64 * half + 32 * (k % 2) + j % 32];
      uint8_t& high = block->qh[32 * half + j % 32];
      low = static_cast<uint8_t>(low | (level & 15) << 4 * (k / 2));
      high = static_cast<uint8_t>(high | (level >> 4) << 2 * k);
    }
  }
}

}  // namespace gemma3n
