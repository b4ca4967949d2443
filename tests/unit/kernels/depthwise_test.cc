// A row of a depthwise convolution of every table against double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "kernel_test_util.h"

namespace gemma3n {
namespace {

struct Case {
  int64_t width, channels, kernel, stride, pad, out_width;
};

class Depthwise : public EveryTable {
 protected:
  // Input, taps and output against unreadable pages; `missing`: a row of zeros, or -1.
  void ExpectRow(const Case& c, int64_t missing) {
    std::vector<std::vector<float>> rows;
    for (int64_t k = 0; k < c.kernel; ++k) rows.push_back(random_.Normals(c.width * c.channels));
    const auto taps = random_.Normals(c.kernel * c.kernel * c.channels);
    const int64_t n = c.out_width * c.channels;
    std::vector<std::unique_ptr<AgainstPage>> pages;
    std::vector<const float*> pointers;
    for (int64_t k = 0; k < c.kernel; ++k) {
      pages.push_back(std::make_unique<AgainstPage>(rows[k]));
      pointers.push_back(k == missing ? nullptr : pages.back()->floats());
    }
    AgainstPage tap_page(taps);
    AgainstPage out(std::vector<float>(n, std::numeric_limits<float>::quiet_NaN()));
    table().depthwise_row({.rows = pointers.data(),
                           .width = c.width,
                           .channels = c.channels,
                           .taps = tap_page.floats(),
                           .kernel = c.kernel,
                           .stride = c.stride,
                           .pad = c.pad,
                           .out = out.floats(),
                           .out_width = c.out_width});
    for (int64_t i = 0; i < n; ++i) {
      const int64_t x = i / c.channels, channel = i % c.channels;
      double sum = 0, magnitude = 0;
      for (int64_t ky = 0; ky < c.kernel; ++ky) {
        for (int64_t kx = 0; kx < c.kernel; ++kx) {
          const int64_t column = x * c.stride - c.pad + kx;
          if (ky == missing || column < 0 || column >= c.width) continue;
          const double product = static_cast<double>(rows[ky][column * c.channels + channel]) *
                                 taps[(ky * c.kernel + kx) * c.channels + channel];
          sum += product;
          magnitude += std::fabs(product);
        }
      }
      ASSERT_NEAR(out.floats()[i], sum, 1e-6 * magnitude)
          << "width " << c.width << ", channels " << c.channels << ", kernel " << c.kernel
          << ", stride " << c.stride << ", output " << x;
    }
  }
  Random random_{23};
};

INSTANTIATE_TEST_SUITE_P(Tables, Depthwise, testing::ValuesIn(AvailableKernels()), TableName);

TEST_P(Depthwise, EveryCountOfChannels) {
  for (int64_t channels = 1; channels <= kMaxCount; ++channels) {
    ExpectRow({9, channels, 3, 1, 1, 9}, channels % 4 - 1);
  }
  ExpectRow({12, 200, 5, 1, 2, 12}, -1);
}

TEST_P(Depthwise, EveryWidthKernelAndStride) {
  for (int64_t width = 1; width <= 20; ++width) {
    for (int64_t kernel : {1, 3, 5, 7}) {
      for (int64_t stride : {1, 2}) {
        const int64_t out = (width + stride - 1) / stride;
        const int64_t total = std::max<int64_t>((out - 1) * stride + kernel - width, 0);
        ExpectRow({width, 17, kernel, stride, total / 2, out}, width % (kernel + 1) - 1);
      }
    }
  }
}

TEST_P(Depthwise, NanStaysInItsNeighbourhood) {
  const int64_t width = 11, channels = 20;
  std::vector<float> row(width * channels, 1.0f), taps(9 * channels, 0.5f), out(width * channels);
  row[5 * channels + 3] = std::numeric_limits<float>::quiet_NaN();
  const float* rows[3] = {nullptr, row.data(), nullptr};
  table().depthwise_row({.rows = rows,
                         .width = width,
                         .channels = channels,
                         .taps = taps.data(),
                         .kernel = 3,
                         .stride = 1,
                         .pad = 1,
                         .out = out.data(),
                         .out_width = width});
  for (int64_t i = 0; i < width * channels; ++i) {
    const int64_t x = i / channels;
    EXPECT_EQ(std::isnan(out[i]), i % channels == 3 && x >= 4 && x <= 6) << i;
  }
}

}  // namespace
}  // namespace gemma3n
