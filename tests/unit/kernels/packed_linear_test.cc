// PackedLinear for every table and arithmetic: bfloat16 against double precision, int8 bit for bit,
// odd sizes and strides, NaN and infinity, both activation types, the same bits in any company, and
// nothing outside the buffers.
#include "kernels/packed_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "kernel_test_util.h"

namespace gemma3n {
namespace {

constexpr float kGuard = -77.0f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float Rounded(float v) { return BFloat16ToFloat(FloatToBFloat16(v)); }

Matrix MatrixOf(const std::vector<float>& values, int64_t rows, int64_t cols) {
  return {DType::kF32, rows, cols, cols * 4, reinterpret_cast<const std::byte*>(values.data())};
}

// The definition of int8 rounding: a row's scale and values.
float Quantize(const float* x, int64_t n, std::vector<int>& q) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float scale = largest / 127.0f;
  q.assign(n, 0);
  for (int64_t i = 0; i < n && scale > 0; ++i)
    q[i] = static_cast<int>(std::nearbyint(x[i] * (1.0f / scale)));
  return scale;
}

std::vector<float> ExpectInt8(const std::vector<float>& w, const std::vector<float>& x,
                              int64_t tokens, int64_t rows, int64_t cols) {
  std::vector<float> y(tokens * rows);
  std::vector<int> qw, qx;
  for (int64_t r = 0; r < rows; ++r) {
    const float w_scale = Quantize(w.data() + r * cols, cols, qw);
    for (int64_t t = 0; t < tokens; ++t) {
      const float x_scale = Quantize(x.data() + t * cols, cols, qx);
      int64_t sum = 0;
      for (int64_t c = 0; c < cols; ++c) sum += int64_t{qw[c]} * qx[c];
      y[t * rows + r] = static_cast<float>(sum) * x_scale * w_scale;
    }
  }
  return y;
}

void ExpectFloat32(const std::vector<float>& w, const std::vector<float>& x, const float* y,
                   int64_t tokens, int64_t rows, int64_t cols) {
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      double expected = 0, magnitude = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const double product = double{w[r * cols + c]} * x[t * cols + c];
        expected += product, magnitude += std::fabs(product);
      }
      ASSERT_NEAR(y[t * rows + r], expected, 4e-7 * magnitude)
          << t << ", " << r << ": " << cols << " columns";
    }
  }
}

// Every y[t, r] is within what rounding a sum of `cols` float32 products may cost, wherever it is
// rounded.
void ExpectBFloat16(const std::vector<float>& w, const std::vector<float>& x, const float* y,
                    int64_t tokens, int64_t rows, int64_t cols) {
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      double rounded = 0, magnitude = 0, exact = 0, exact_magnitude = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const double product = double{Rounded(w[r * cols + c])} * Rounded(x[t * cols + c]);
        rounded += product, magnitude += std::fabs(product);
        const double unrounded = double{w[r * cols + c]} * x[t * cols + c];
        exact += unrounded, exact_magnitude += std::fabs(unrounded);
      }
      const double sums = static_cast<double>(cols) * 0x1p-24 * magnitude;
      ASSERT_NEAR(y[t * rows + r], rounded, sums) << t << ", " << r << ": " << cols << " columns";
      ASSERT_NEAR(y[t * rows + r], exact, sums + (0x1p-7 + 0x1p-16) * exact_magnitude);
    }
  }
}

using Param = std::tuple<const KernelTable*, Arithmetic>;

class Packed : public testing::TestWithParam<Param> {
 protected:
  const KernelTable& table() const { return *std::get<0>(GetParam()); }
  Arithmetic arithmetic() const { return std::get<1>(GetParam()); }
  PackedLinear Pack(const std::vector<float>& w, int64_t rows, int64_t cols) const {
    return PackedLinear::Pack(MatrixOf(w, rows, cols), arithmetic(), ops_);
  }
  // y = W x on one thread, rows next to each other.
  std::vector<float> Rows(const PackedLinear& packed, const std::vector<float>& x,
                          int64_t tokens) const {
    std::vector<float> y(tokens * packed.rows(), kGuard);
    packed.ApplyRows(ConstView(x.data(), tokens, packed.cols()),
                     View(y.data(), tokens, packed.rows()), ops_);
    return y;
  }
  void Check(int64_t tokens, int64_t rows, int64_t cols) {
    const auto w = random_.Normals(rows * cols, 0.05f), x = random_.Normals(tokens * cols);
    const auto packed = Pack(w, rows, cols);
    ASSERT_EQ(packed.arithmetic(), arithmetic());
    const auto y = Rows(packed, x, tokens);
    if (arithmetic() == Arithmetic::kInt8) {
      ASSERT_EQ(y, ExpectInt8(w, x, tokens, rows, cols))
          << tokens << " x " << rows << " x " << cols;
    } else if (arithmetic() == Arithmetic::kBFloat16) {
      ExpectBFloat16(w, x, y.data(), tokens, rows, cols);
    } else if (packed.packed()) {
      ExpectFloat32(w, x, y.data(), tokens, rows, cols);
    } else {
      std::vector<float> expected(tokens * rows);
      ops_.Linear(MatrixOf(w, rows, cols), ConstView(x.data(), tokens, cols),
                  View(expected.data(), tokens, rows));
      ASSERT_EQ(y, expected);
    }
  }
  ThreadPool pool_{1};
  Ops ops_{table(), pool_};
  Random random_{7};
};

std::string ParamName(const testing::TestParamInfo<Param>& param) {
  static constexpr const char* kNames[] = {"float32", "bfloat16", "int8"};
  return std::string(std::get<0>(param.param)->name) + "_" +
         kNames[static_cast<int>(std::get<1>(param.param))];
}

// What each table has: bfloat16 not everywhere, and float32 code that differs.
std::vector<Param> Params() {
  std::vector<Param> params;
  for (const KernelTable* table : DistinctFloatKernels())
    params.emplace_back(table, Arithmetic::kFloat32);
  for (const KernelTable* table : AvailableKernels()) {
    if (table->float32_parts != nullptr) params.emplace_back(table, Arithmetic::kFloat32);
    if (table->bfloat16 != nullptr) params.emplace_back(table, Arithmetic::kBFloat16);
    params.emplace_back(table, Arithmetic::kInt8);
  }
  return params;
}

INSTANTIATE_TEST_SUITE_P(Tables, Packed, testing::ValuesIn(Params()), ParamName);

TEST_P(Packed, EveryTokenCount) {
  for (int64_t tokens = 0; tokens <= 40; ++tokens) Check(tokens, 37, 70);
}

TEST_P(Packed, EveryColumnCount) {
  for (int64_t cols = 1; cols <= 100; ++cols) Check(5, 33, cols);
}

TEST_P(Packed, EveryRowCount) {
  for (int64_t rows = 1; rows <= 67; ++rows) Check(3, rows, 65);
}

TEST_P(Packed, MoreThanABlockInEveryDirection) {
  Check(kBlockRows + 17, 40, 130);
  Check(33, 97, 8 * 64 + 5);  // more than a slab
  Check(70, 35, 2 * 8 * 64);
  Check(39, 66, 2 * 32 * 32 + 40);  // more than two passes
}

TEST_P(Packed, StridesAreKeptAndNothingIsWrittenBetweenRows) {
  const int64_t rows = 41, cols = 75, x_stride = cols + 6, y_stride = rows + 3;
  const auto w = random_.Normals(rows * cols);
  const auto packed = Pack(w, rows, cols);
  for (int64_t tokens : {1, 15, 34}) {
    const auto wide = random_.Normals(tokens * x_stride);
    std::vector<float> dense, y(tokens * y_stride, kGuard);
    for (int64_t t = 0; t < tokens; ++t) {
      dense.insert(dense.end(), wide.begin() + t * x_stride, wide.begin() + t * x_stride + cols);
    }
    packed.ApplyRows(ConstView(wide.data(), tokens, cols, x_stride),
                     View(y.data(), tokens, rows, y_stride), ops_);
    const auto expected = Rows(packed, dense, tokens);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = 0; r < y_stride; ++r) {
        ASSERT_EQ(y[t * y_stride + r], r < rows ? expected[t * rows + r] : kGuard)
            << t << ", " << r;
      }
    }
  }
}

TEST_P(Packed, BFloat16ActivationsAreTheirFloat32ValuesRounded) {
  const int64_t tokens = 39, rows = 45, cols = 77, x_stride = cols + 3, y_stride = rows + 5;
  const auto w = random_.Normals(rows * cols);
  const auto packed = Pack(w, rows, cols);
  std::vector<uint16_t> x(tokens * x_stride);
  std::vector<float> widened(tokens * cols);
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t c = 0; c < cols; ++c) {
      x[t * x_stride + c] = FloatToBFloat16(random_.Normal());
      widened[t * cols + c] = BFloat16ToFloat(x[t * x_stride + c]);
    }
  }
  const BFloat16View in{x.data(), tokens, cols, x_stride};
  const auto expected = Rows(packed, widened, tokens);
  for (int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Ops ops(table(), pool);
    std::vector<float> y(tokens * rows);
    packed.Apply(in, View(y.data(), tokens, rows), ops);
    ASSERT_EQ(y, expected);
    std::vector<uint16_t> narrow(tokens * y_stride, 0x1234);
    packed.Apply(in, BFloat16View{narrow.data(), tokens, rows, y_stride}, ops);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = 0; r < y_stride; ++r) {
        ASSERT_EQ(narrow[t * y_stride + r],
                  r < rows ? FloatToBFloat16(expected[t * rows + r]) : 0x1234);
      }
    }
    packed.Apply(ConstView(widened.data(), tokens, cols),
                 BFloat16View{narrow.data(), tokens, rows, y_stride}, ops);
    ASSERT_EQ(narrow[3 * y_stride + 7], FloatToBFloat16(expected[3 * rows + 7]));
  }
}

// Alone, in a batch, on any number of threads, by rows or as a whole.
TEST_P(Packed, ARowsResultDoesNotDependOnItsCompany) {
  for (auto [tokens, rows, cols] :
       {std::tuple<int64_t, int64_t, int64_t>{70, 100, 600}, {600, 33, 64}, {5, 200, 64}, {90, 70, 2100}}) {
    const auto w = random_.Normals(rows * cols);
    const auto packed = Pack(w, rows, cols);
    const auto x = random_.Normals(tokens * cols);
    const auto together = Rows(packed, x, tokens);
    for (int64_t t = 0; t < tokens; t += 7) {
      const auto alone = Rows(packed, {x.begin() + t * cols, x.begin() + (t + 1) * cols}, 1);
      for (int64_t r = 0; r < rows; ++r)
        ASSERT_EQ(alone[r], together[t * rows + r]) << t << ", " << r;
    }
    for (int threads : {1, 2, 3, 5}) {
      ThreadPool pool(threads);
      const Ops ops(table(), pool);
      const auto packed_there = PackedLinear(packed);  // a copy shares the weights
      std::vector<float> y(tokens * rows, kGuard);
      packed_there.Apply(ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows), ops);
      ASSERT_EQ(y, together) << threads << " threads";
    }
  }
}

TEST_P(Packed, PackingOnAnyNumberOfThreadsIsTheSame) {
  const int64_t rows = 90, cols = 70, tokens = 9;
  const auto w = random_.Normals(rows * cols), x = random_.Normals(tokens * cols);
  const auto expected = Rows(Pack(w, rows, cols), x, tokens);
  ThreadPool pool(4);
  const Ops ops(table(), pool);
  EXPECT_EQ(Rows(PackedLinear::Pack(MatrixOf(w, rows, cols), arithmetic(), ops), x, tokens),
            expected);
}

TEST_P(Packed, StoredTypesAreDecodedFirst) {
  const int64_t rows = 35, cols = 96, tokens = 4;
  const auto w = random_.Normals(rows * cols), x = random_.Normals(tokens * cols);
  for (DType dtype : {DType::kBF16, DType::kQ8_0}) {
    std::vector<std::byte> stored(RowBytes(dtype, cols) * rows);
    std::vector<float> decoded(rows * cols);
    for (int64_t r = 0; r < rows; ++r) {
      QuantizeRow(dtype, w.data() + r * cols, stored.data() + r * RowBytes(dtype, cols), cols);
      table().dequantize[static_cast<int>(dtype)](stored.data() + r * RowBytes(dtype, cols),
                                                  decoded.data() + r * cols, cols);
    }
    const Matrix m = {dtype, rows, cols, RowBytes(dtype, cols), stored.data()};
    EXPECT_EQ(Rows(PackedLinear::Pack(m, arithmetic(), ops_), x, tokens),
              Rows(Pack(decoded, rows, cols), x, tokens));
  }
}

TEST_P(Packed, NanAndInfinityStayInTheirRow) {
  const int64_t tokens = 37, rows = 40, cols = 100;
  for (float bad : {NAN, kInfinity, -kInfinity}) {
    auto w = random_.Normals(rows * cols), x = random_.Normals(tokens * cols);
    x[20 * cols + 99] = bad;
    auto y = Rows(Pack(w, rows, cols), x, tokens);
    const bool all_nan = arithmetic() == Arithmetic::kInt8 || std::isnan(bad);
    for (int64_t i = 0; i < tokens * rows; ++i) {
      if (i / rows != 20) {
        ASSERT_TRUE(std::isfinite(y[i])) << i;
      } else if (all_nan) {
        ASSERT_TRUE(std::isnan(y[i])) << i;
      } else {
        ASSERT_EQ(y[i], std::copysign(kInfinity, bad * w[i % rows * cols + 99])) << i;
      }
    }
    w[7 * cols + 98] = bad;
    x[20 * cols + 99] = 1;
    y = Rows(Pack(w, rows, cols), x, tokens);
    for (int64_t i = 0; i < tokens * rows; ++i) ASSERT_EQ(std::isfinite(y[i]), i % rows != 7) << i;
  }
}

TEST_P(Packed, ZerosAndTinyRows) {
  const int64_t tokens = 3, rows = 33, cols = 70;
  const auto w = random_.Normals(rows * cols);
  std::vector<float> x(tokens * cols, 0.0f);
  for (int64_t c = 0; c < cols; ++c)
    x[cols + c] = 0x1p-140f, x[2 * cols + c] = c % 2 ? 0x1p90f : -0x1p90f;
  const auto y = Rows(Pack(w, rows, cols), x, tokens);
  for (int64_t r = 0; r < rows; ++r) {
    EXPECT_EQ(y[r], 0.0f);
    EXPECT_LT(std::fabs(y[rows + r]), 0x1p-120f);
    EXPECT_TRUE(std::isfinite(y[2 * rows + r]));
  }
}

TEST_P(Packed, ReadsAndWritesNothingPastItsBuffers) {
  for (int64_t cols : {1, 15, 31, 33, 63, 64, 65, 97}) {
    for (int64_t rows : {1, 17, 33}) {
      AgainstPage weights(random_.Normals(rows * cols));
      const Matrix w = {DType::kF32, rows, cols, cols * 4, weights.bytes()};
      const auto packed = PackedLinear::Pack(w, arithmetic(), ops_);
      for (int64_t tokens : {1, 9, 33}) {
        AgainstPage x(random_.Normals(tokens * cols)), y(std::vector<float>(tokens * rows));
        packed.ApplyRows(ConstView(x.floats(), tokens, cols), View(y.floats(), tokens, rows), ops_);
        AgainstPage narrow_x(x.bytes(), tokens * cols * 2), narrow_y(y.bytes(), tokens * rows * 2);
        packed.ApplyRows(
            BFloat16View{reinterpret_cast<uint16_t*>(narrow_x.bytes()), tokens, cols, cols},
            BFloat16View{reinterpret_cast<uint16_t*>(narrow_y.bytes()), tokens, rows, rows}, ops_);
      }
    }
  }
}

TEST(PackedLinear, Int8HasTheSameBitsInEveryTable) {
  Random random(11);
  ThreadPool pool(2);
  for (auto [tokens, rows, cols] :
       {std::tuple<int64_t, int64_t, int64_t>{300, 97, 640}, {3, 65, 4001}}) {
    const auto w = random.Normals(rows * cols), x = random.Normals(tokens * cols, 30);
    std::vector<float> expected;
    std::vector<uint16_t> expected_narrow;
    for (const KernelTable* table : AvailableKernels()) {
      const Ops ops(*table, pool);
      const auto packed = PackedLinear::Pack(MatrixOf(w, rows, cols), Arithmetic::kInt8, ops);
      std::vector<float> y(tokens * rows);
      std::vector<uint16_t> narrow(tokens * rows);
      packed.Apply(ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows), ops);
      packed.Apply(ConstView(x.data(), tokens, cols),
                   BFloat16View{narrow.data(), tokens, rows, rows}, ops);
      if (expected.empty()) expected = y, expected_narrow = narrow;
      EXPECT_EQ(y, expected) << table->name;
      EXPECT_EQ(narrow, expected_narrow) << table->name;
    }
  }
}

// The largest sums: every factor 127, and activations of either sign.
TEST(PackedLinear, Int8SumsDoNotSaturate) {
  ThreadPool pool(1);
  const int64_t cols = 66000, rows = 3, tokens = 2;
  std::vector<float> w(rows * cols, 127.0f), x(tokens * cols, 127.0f);
  std::fill(x.begin() + cols, x.end(), -127.0f);
  for (const KernelTable* table : AvailableKernels()) {
    const Ops ops(*table, pool);
    std::vector<float> y(tokens * rows);
    PackedLinear::Pack(MatrixOf(w, rows, cols), Arithmetic::kInt8, ops)
        .Apply(ConstView(x.data(), tokens, cols), View(y.data(), tokens, rows), ops);
    EXPECT_EQ(y[0], 127.0f * 127.0f * 66000.0f) << table->name;
    EXPECT_EQ(y[rows], -127.0f * 127.0f * 66000.0f) << table->name;
  }
}

TEST(PackedLinear, FastestIsWhatTheTableHas) {
  ThreadPool pool(1);
  std::vector<float> w(64);
  for (const KernelTable* table : AvailableKernels()) {
    const Ops ops(*table, pool);
    const Arithmetic fastest = PackedLinear::Fastest(ops);
    const std::string name = table->name;
    const bool bfloat16 = name == "reference" || name == "avx512bf16" || name == "amx" ||
                          name == "neonbf16";
    EXPECT_EQ(fastest, bfloat16 ? Arithmetic::kBFloat16 : Arithmetic::kFloat32) << name;
    const auto packed = PackedLinear::Pack(MatrixOf(w, 8, 8), Arithmetic::kBFloat16, ops);
    EXPECT_EQ(packed.arithmetic(), fastest) << name;
    EXPECT_EQ(packed.rows(), 8);
    EXPECT_FALSE(packed.empty());
  }
  EXPECT_TRUE(PackedLinear().empty());
}

}  // namespace
}  // namespace gemma3n
