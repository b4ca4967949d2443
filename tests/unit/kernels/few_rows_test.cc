// Products of few rows for every table and dtype that has them: against double precision, the same
// bits in any company, NaN, buffers against an unreadable page.
#include "kernels/few_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "base/thread_pool.h"
#include "kernel_test_util.h"
#include "kernels/ops.h"
#include "kernels/reference/reference.h"

namespace gemma3n {
namespace {

// x as its planes hold it, in double precision.
std::vector<double> Rounded(const float* x, int64_t cols) {
  std::vector<double> rounded(static_cast<size_t>(cols));
  for (int64_t c = 0; c < cols; c += 32) {
    float largest = 0;
    for (int64_t i = c; i < c + 32; ++i) largest = std::max(largest, std::fabs(x[i]));
    if (largest < 0x1p-100f) continue;
    const float scale = largest / 16256, inverse = 16256 / largest;
    for (int64_t i = c; i < c + 32; ++i) {
      rounded[i] = static_cast<double>(scale) * std::nearbyint(x[i] * inverse);
    }
  }
  return rounded;
}

// Rows of x packed as the kernel wants them, at an address that is a multiple of 64.
class Packed {
 public:
  Packed(const FewRowsKernel& kernel, const ConstView& x)
      : storage_(static_cast<size_t>(x.rows * Stride(kernel, x.cols)) + 64, std::byte{0x5a}) {
    std::byte* start =
        storage_.data() + (64 - reinterpret_cast<uintptr_t>(storage_.data()) % 64) % 64;
    rows_ = {start, x.rows, Stride(kernel, x.cols)};
    for (int64_t t = 0; t < x.rows; ++t) kernel.pack(x.row(t), x.cols, start + t * rows_.stride);
  }
  operator PlaneRows() const { return rows_; }  // NOLINT

 private:
  static int64_t Stride(const FewRowsKernel& kernel, int64_t cols) {
    return (kernel.PackedBytes(cols) + 63) / 64 * 64;
  }
  std::vector<std::byte> storage_;
  PlaneRows rows_;
};

using Param = std::tuple<const KernelTable*, DType>;

class FewRows : public testing::TestWithParam<Param> {
 protected:
  const KernelTable& table() const { return *std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  int64_t block() const { return Traits(dtype()).block_elements; }
  const FewRowsKernel& kernel() const { return table().few_rows->of[static_cast<int>(dtype())]; }

  std::vector<float> Multiply(const Matrix& w, const ConstView& x, const RowRange& rows,
                              float before = -77) {
    std::vector<float> y(static_cast<size_t>(x.rows * w.rows), before);
    kernel().multiply(w, rows, Packed(kernel(), x), View(y.data(), x.rows, w.rows));
    return y;
  }

  // Checks the rows of the range against double, and that nothing else was written.
  void Check(const TestMatrix& m, int64_t tokens, const RowRange& rows, float magnitude = 1) {
    const int64_t cols = m.matrix.cols, stride = cols + 5;
    const auto x = random_.Normals(tokens * stride, magnitude);
    const auto y = Multiply(m.matrix, ConstView(x.data(), tokens, cols, stride), rows);
    std::vector<bool> wanted(static_cast<size_t>(m.matrix.rows));
    for (int64_t i = rows.begin; i < rows.end; ++i) wanted[rows[i]] = true;
    for (int64_t t = 0; t < tokens; ++t) {
      const float* row = x.data() + t * stride;
      const auto rounded = Rounded(row, cols);
      for (int64_t r = 0; r < m.matrix.rows; ++r) {
        const float got = y[t * m.matrix.rows + r];
        if (!wanted[r]) {
          ASSERT_EQ(got, -77) << "row " << r << " was written";
          continue;
        }
        double expected = 0, exact = 0, products = 0, lost = 0;
        for (int64_t c = 0; c < cols; ++c) {
          const double weight = m.values[r * cols + c];
          expected += weight * rounded[c];
          exact += weight * row[c];
          products += std::fabs(weight * rounded[c]);
          float largest = 0;
          for (int64_t i = c / 32 * 32; i < c / 32 * 32 + 32; ++i)
            largest = std::max(largest, std::fabs(row[i]));
          lost += std::fabs(weight) * largest / 16256 * 0.501;
        }
        // Of Q4_K and Q5_K sums and mins cancel.
        ASSERT_NEAR(got, expected, (block() == 256 ? 2e-6 : 5e-7) * products + 1e-30)
            << "token " << t << " of " << tokens << ", row " << r << ", " << cols << " columns";
        ASSERT_NEAR(got, exact, lost + 2e-6 * products + 1e-30);
      }
    }
  }
  Random random_{7};
};

std::vector<Param> Params() {
  std::vector<Param> params;
  const FewRowsKernels* last = nullptr;
  for (const KernelTable* table : AvailableKernels()) {
    if (table->few_rows == nullptr || table->few_rows == last) continue;
    last = table->few_rows;
    for (int i = 0; i < kDTypeCount; ++i) {
      if (last->of[i].multiply != nullptr) params.emplace_back(table, static_cast<DType>(i));
    }
  }
  return params;
}

INSTANTIATE_TEST_SUITE_P(Tables, FewRows, testing::ValuesIn(Params()), [](const auto& param) {
  return std::string(std::get<0>(param.param)->name) + "_" + Name(std::get<1>(param.param));
});

TEST_P(FewRows, EveryTokenAndRowCount) {
  for (int64_t rows : {1, 2, 3, 4, 5, 7, 18}) {
    const auto m = RandomMatrix(dtype(), rows, block() == 256 ? 768 : 608, random_);
    for (int64_t tokens = 1; tokens <= kFewRows; ++tokens) Check(m, tokens, {0, rows});
  }
}

TEST_P(FewRows, EveryColumnCount) {
  for (int64_t i = 1; i <= 9; ++i) {
    const auto m = RandomMatrix(dtype(), 5, i * block(), random_);
    for (int64_t tokens : {1, 2, 7}) Check(m, tokens, {0, 5});
  }
}

TEST_P(FewRows, RangesListsAndColumnPrefixes) {
  const auto m = RandomMatrix(dtype(), 41, 512, random_, 256);
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 0}, {3, 4}, {1, 38}, {40, 41}}) {
    for (int64_t tokens : {1, 3, 8}) Check(m, tokens, {begin, end});
  }
  const int32_t list[] = {0, 2, 3, 9, 10, 11, 25, 31, 40};
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 9}, {2, 3}, {1, 8}, {4, 4}}) {
    for (int64_t tokens : {1, 2, 5}) Check(m, tokens, {begin, end, list});
  }
}

TEST_P(FewRows, HugeAndSmallValues) {
  const auto m = RandomMatrix(dtype(), 5, 512, random_);
  for (float magnitude : {1e30f, 1e10f, 1e-10f, 1e-25f}) Check(m, 2, {0, 5}, magnitude);
}

TEST_P(FewRows, OneGreatValueDoesNotCoarsenOtherBlocks) {
  const auto m = RandomMatrix(dtype(), 3, 512, random_);
  auto x = random_.Normals(512);
  x[40] = 1e6f;
  for (int64_t r = 0; r < 3; ++r) {
    auto other = x;
    other[40] = 0;
    const auto y = Multiply(m.matrix, ConstView(x.data(), 1, 512), {0, 3});
    const auto rest = Multiply(m.matrix, ConstView(other.data(), 1, 512), {0, 3});
    const double spike = m.values[r * 512 + 40] * 1e6;
    double block_weights = 0;
    for (int c = 32; c < 64; ++c) block_weights += std::fabs(m.values[r * 512 + c]);
    EXPECT_NEAR(y[r], spike + rest[r], block_weights * 1e6 / 16256 + 1e-6 * std::fabs(spike));
  }
}

// One step of decoding and the checking of a draft give a row the same bits.
TEST_P(FewRows, ARowsResultDoesNotDependOnItsCompany) {
  const int64_t rows = 38, cols = block() == 256 ? 1280 : 1120;
  const auto m = RandomMatrix(dtype(), rows, cols, random_);
  const auto x = random_.Normals(kFewRows * cols);
  const ConstView xs(x.data(), kFewRows, cols);
  std::vector<float> alone;
  for (int64_t t = 0; t < kFewRows; ++t) {
    const auto y = Multiply(m.matrix, xs.Rows(t, 1), {0, rows});
    alone.insert(alone.end(), y.begin(), y.end());
  }
  for (int64_t count = 2; count <= kFewRows; ++count) {
    for (int64_t first : {int64_t{0}, kFewRows - count}) {
      const auto y = Multiply(m.matrix, xs.Rows(first, count), {0, rows});
      for (int64_t i = 0; i < count * rows; ++i)
        ASSERT_EQ(y[i], alone[first * rows + i]) << "of " << count << " rows";
    }
  }
  for (int64_t begin = 1; begin < 6; ++begin) {  // nor on the range of rows of W
    const auto y = Multiply(m.matrix, xs.Rows(0, 1), {begin, rows - begin});
    for (int64_t r = begin; r < rows - begin; ++r) ASSERT_EQ(y[r], alone[r]);
  }
  std::vector<int32_t> list;
  for (int32_t r = 1; r < rows; r += 3) list.push_back(r);
  const auto y =
      Multiply(m.matrix, xs.Rows(0, 1), {0, static_cast<int64_t>(list.size()), list.data()});
  for (int32_t r : list) ASSERT_EQ(y[r], alone[r]);
}

TEST_P(FewRows, NanAndInfinityStayInTheirToken) {
  const auto m = RandomMatrix(dtype(), 6, 512, random_);
  for (float odd : {std::numeric_limits<float>::quiet_NaN(),
                    -std::numeric_limits<float>::infinity(), BitsToFloat(0xffffffff)}) {
    for (int64_t tokens : {1, 2, 8}) {
      for (int64_t at : {0, 17, 511}) {
        auto x = random_.Normals(tokens * 512);
        x[(tokens - 1) * 512 + at] = odd;
        const auto y = Multiply(m.matrix, ConstView(x.data(), tokens, 512), {0, 6});
        for (int64_t i = 0; i < tokens * 6; ++i)
          ASSERT_EQ(std::isnan(y[i]), i / 6 == tokens - 1) << i;
      }
    }
  }
}

TEST_P(FewRows, ZeroAndDenormalRowsGiveZero) {
  const auto m = RandomMatrix(dtype(), 6, 512, random_);
  for (float value : {0.0f, -0.0f, 1e-40f, 1e-31f}) {
    const std::vector<float> x(512, value);
    for (float y : Multiply(m.matrix, ConstView(x.data(), 1, 512), {0, 6})) ASSERT_EQ(y, 0);
  }
}

// The extremes of each plane and of each weight: no sum of bytes may saturate.
TEST_P(FewRows, TheLargestBytesDoNotSaturate) {
  for (uint8_t fill : {0x00, 0xff, 0x80, 0x7f, 0x08, 0xf0}) {
    TestMatrix m = RandomMatrix(dtype(), 2, 512, random_);
    auto* start = const_cast<std::byte*>(m.matrix.data);
    const int block_bytes = Traits(dtype()).block_bytes;
    std::vector<float> decoded(512);
    for (int64_t r = 0; r < 2; ++r) {
      std::byte* row = start + r * m.matrix.row_bytes;
      for (int64_t b = 0; b < m.matrix.row_bytes; ++b) {
        const int64_t at = b % block_bytes;
        const bool scale = dtype() == DType::kQ6_K ? at >= 208 : at < (block() == 256 ? 4 : 2);
        if (!scale) row[b] = std::byte{fill};
      }
      reference::kTable.dequantize[static_cast<int>(dtype())](row, decoded.data(), 512);
      for (int c = 0; c < 512; ++c) m.values[r * 512 + c] = decoded[c];
    }
    for (float sign : {1.0f, -1.0f}) {
      for (float second : {1.0f, -1.0f, 0.4962f}) {  // 0.4962: hi and lo both great
        std::vector<float> x(512);
        for (size_t c = 0; c < 512; ++c) x[c] = c % 2 == 0 ? sign : sign * second;
        const auto y = Multiply(m.matrix, ConstView(x.data(), 1, 512), {0, 2});
        const auto rounded = Rounded(x.data(), 512);
        for (int64_t r = 0; r < 2; ++r) {
          double expected = 0, products = 0;
          for (int c = 0; c < 512; ++c) {
            expected += m.values[r * 512 + c] * rounded[c];
            products += std::fabs(m.values[r * 512 + c] * rounded[c]);
          }
          ASSERT_NEAR(y[r], expected, 2e-6 * products) << static_cast<int>(fill);
        }
      }
    }
  }
}

TEST_P(FewRows, ReadsAndWritesNothingPastItsBuffers) {
  for (int64_t cols : {block(), 2 * block(), 3 * block(), 5 * block()}) {
    for (int64_t rows : {1, 3, 4, 6}) {
      const auto m = RandomMatrix(dtype(), rows, cols, random_);
      AgainstPage weights(m.matrix.data, static_cast<size_t>(rows * m.matrix.row_bytes));
      Matrix w = m.matrix;
      w.data = weights.bytes();
      for (int64_t tokens : {1, 2, 8}) {
        AgainstPage x(random_.Normals(tokens * cols)), y(std::vector<float>(tokens * rows));
        const int64_t bytes = kernel().PackedBytes(cols);
        AgainstPage packed{std::vector<std::byte>(static_cast<size_t>(tokens * bytes))};
        for (int64_t t = 0; t < tokens; ++t)
          kernel().pack(x.floats() + t * cols, cols, packed.bytes() + t * bytes);
        kernel().multiply(w, {0, rows}, {packed.bytes(), tokens, bytes},
                          View(y.floats(), tokens, rows));
      }
    }
  }
}

// Several products of one x in one loop, some of them in float32.
TEST(OpsFewRows, AnyThreadCountAndCompanyGivesTheSameBits) {
  Random random(3);
  const DType dtypes[] = {DType::kQ4_0, DType::kBF16, DType::kQ8_0, DType::kQ6_K, DType::kQ4_0};
  const int64_t rows[] = {700, 64, 333, 1, 40}, cols = 1024;
  std::vector<TestMatrix> m;
  for (int i = 0; i < 5; ++i) m.push_back(RandomMatrix(dtypes[i], rows[i], cols, random, 0, 3));
  const auto x = random.Normals(kFewRows * cols);
  for (const KernelTable* table : AvailableKernels()) {
    for (int64_t tokens : {1, 3, 8}) {
      const ConstView xs(x.data(), tokens, cols);
      for (Precision precision : {Precision::kAuto, Precision::kFloat32}) {
        std::vector<std::vector<float>> expected;
        for (const TestMatrix& w : m) {
          const int dtype = static_cast<int>(w.matrix.dtype);
          std::vector<float> y(static_cast<size_t>(tokens * w.matrix.rows));
          const View out(y.data(), tokens, w.matrix.rows);
          if (precision == Precision::kAuto && table->few_rows->of[dtype].multiply != nullptr) {
            const FewRowsKernel& kernel = table->few_rows->of[dtype];
            kernel.multiply(w.matrix, {0, w.matrix.rows}, Packed(kernel, xs), out);
          } else {
            table->linear[dtype](w.matrix, 0, w.matrix.rows, xs, out);
          }
          expected.push_back(y);
        }
        for (int threads : {1, 2, 5}) {
          ThreadPool pool(threads);
          const Ops ops(*table, pool, precision);
          std::vector<std::vector<float>> y;
          for (const auto& e : expected) y.emplace_back(e.size(), -77.0f);
          const auto view = [&](int i) { return View(y[i].data(), tokens, rows[i]); };
          ops.LinearEach({{m[0].matrix, view(0)},
                      {m[1].matrix, view(1)},
                      {m[2].matrix, view(2)},
                      {m[3].matrix, view(3)},
                      {m[4].matrix, view(4)}},
                     xs);
          ASSERT_EQ(y, expected) << table->name << ", " << threads << " threads";
          for (auto& values : y) std::fill(values.begin(), values.end(), -77.0f);
          std::vector<int32_t> list;
          for (int32_t r = 5; r < rows[0]; r += 1 + r % 3) list.push_back(r);
          for (int i : {0, 1}) {
            while (list.back() >= rows[i]) list.pop_back();
            ops.LinearRows(m[i].matrix, list, xs, view(i));
            for (int64_t t = 0; t < tokens; ++t) {
              for (int32_t r = 0; r < rows[i]; ++r) {
                const bool listed = std::binary_search(list.begin(), list.end(), r);
                ASSERT_EQ(y[i][t * rows[i] + r], listed ? expected[i][t * rows[i] + r] : -77.0f);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gemma3n
