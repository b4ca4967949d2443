// Properties of the quantizers that hold for any row.
#include "kernels/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n {
namespace {

constexpr DType kQuantizable[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_K, DType::kQ6_K};

std::vector<float> RoundTrip(DType dtype, const std::vector<float>& x) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<std::byte> bytes(RowBytes(dtype, n) + 16, std::byte{0xa5});
  QuantizeRow(dtype, x.data(), bytes.data(), n);
  for (size_t i = bytes.size() - 16; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i], std::byte{0xa5}) << Name(dtype) << " wrote past its row";
  }
  std::vector<float> y(x.size());
  reference::kTable.dequantize[static_cast<int>(dtype)](bytes.data(), y.data(), n);
  return y;
}

TEST(Quantize, KnowsItsDTypes) {
  int known = 0;
  for (int i = 0; i < kDTypeCount; ++i) known += CanQuantize(static_cast<DType>(i));
  EXPECT_EQ(known, 7);
  for (DType dtype : kQuantizable) EXPECT_TRUE(CanQuantize(dtype)) << Name(dtype);
}

TEST(Quantize, ZeroConstantAndTinyRowsSurvive) {
  for (DType dtype : kQuantizable) {
    for (float value : {0.0f, -0.0f, 1.0f, -0.5f, 1e-30f, -1e-42f, 1e-45f}) {
      const auto y = RoundTrip(dtype, std::vector<float>(512, value));
      for (float v : y) {
        ASSERT_NEAR(v, value, std::fabs(value) * 0.01 + 1e-7) << Name(dtype) << " of " << value;
      }
    }
  }
}

TEST(Quantize, ErrorIsBoundedByTheStep) {
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(2048);
  for (float& v : x) v = normal(rng);
  const auto relative_rms = [&](DType dtype) {
    const auto y = RoundTrip(dtype, x);
    double error = 0, energy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      error += std::pow(y[i] - x[i], 2.0);
      energy += static_cast<double>(x[i]) * x[i];
    }
    return std::sqrt(error / energy);
  };
  EXPECT_EQ(relative_rms(DType::kF32), 0);
  EXPECT_LT(relative_rms(DType::kF16), 0x1p-11 / std::sqrt(3.0) * 1.05);
  EXPECT_LT(relative_rms(DType::kBF16), 0x1p-8 / std::sqrt(3.0) * 1.05);
  EXPECT_LT(relative_rms(DType::kQ8_0), 0.008);
  EXPECT_LT(relative_rms(DType::kQ6_K), 0.02);
  EXPECT_LT(relative_rms(DType::kQ4_K), 0.08);
  EXPECT_LT(relative_rms(DType::kQ4_0), 0.10);
}

TEST(Quantize, HugeValuesStayFinite) {
  std::vector<float> x(256);
  for (int i = 0; i < 256; ++i) x[i] = static_cast<float>(i - 128) * 1e30f;
  for (DType dtype : {DType::kQ4_K, DType::kQ6_K}) {
    for (float v : RoundTrip(dtype, x)) ASSERT_TRUE(std::isfinite(v)) << Name(dtype);
  }
}

TEST(HalfConversion, EveryHalfRoundTrips) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float f = HalfToFloat(static_cast<uint16_t>(h));
    if ((h & 0x7fff) > 0x7c00) {
      ASSERT_TRUE(std::isnan(f)) << h;
      ASSERT_TRUE(std::isnan(HalfToFloat(FloatToHalf(f)))) << h;
    } else {
      ASSERT_EQ(FloatToHalf(f), h);
    }
  }
}

TEST(HalfConversion, RoundsToNearestEven) {
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const float low = HalfToFloat(static_cast<uint16_t>(h));
    const float high = HalfToFloat(static_cast<uint16_t>(h + 1));
    const float middle = low + (high - low) / 2;  // exact in float
    ASSERT_EQ(FloatToHalf(middle), h % 2 == 0 ? h : h + 1);
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), h);
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), h + 1);
    ASSERT_EQ(FloatToHalf(-middle), 0x8000 | (h % 2 == 0 ? h : h + 1));
  }
  EXPECT_EQ(FloatToHalf(65519.99f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(INFINITY), 0x7c00);
}

}  // namespace
}  // namespace gemma3n
