// Products for many rows of x, for every table that has them and every type: against double
// precision, any shape, and the same bits for a row in any company.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/thread_pool.h"
#include "kernel_test_util.h"
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/many_rows.h"
#include "kernels/many_rows_linear.h"
#include "kernels/ops.h"
#include "kernels/reference/reference.h"

namespace gemma3n {
namespace {

using Param = std::pair<const KernelTable*, DType>;

// The tables and types that do not go to float32; kernels that tables share once.
std::vector<Param> TablesAndTypes() {
  std::vector<Param> all;
  std::vector<const ManyRowsKernels*> seen;
  for (const KernelTable* table : AvailableKernels()) {
    if (table->many_rows == nullptr ||
        std::find(seen.begin(), seen.end(), table->many_rows) != seen.end()) {
      continue;
    }
    seen.push_back(table->many_rows);
    const ManyRowsKernels* in_float = table->many_rows_float;
    for (int type = 0; type < kDTypeCount; ++type) {
      if (table->many_rows->multiply[type] != nullptr ||
          (in_float != nullptr && in_float->multiply[type] != nullptr)) {
        all.emplace_back(table, static_cast<DType>(type));
      }
    }
  }
  return all;
}

struct Weights {
  std::vector<std::byte> bytes;
  Matrix matrix;

  // extra_cols: the matrix is a column prefix of a wider one.
  Weights(DType dtype, int64_t rows, int64_t cols, Random& random, int64_t extra_cols = 0) {
    const int64_t row_bytes = RowBytes(dtype, cols + extra_cols);
    for (int64_t r = 0; r < rows; ++r) {
      const auto row = RandomRow(dtype, cols + extra_cols, random);
      bytes.insert(bytes.end(), row.begin(), row.end());
    }
    matrix = {dtype, rows, cols, row_bytes, bytes.data()};
  }
  std::vector<float> Row(int64_t r) const {
    std::vector<float> values(static_cast<size_t>(matrix.cols));
    reference::kTable.dequantize[static_cast<int>(matrix.dtype)](matrix.row(r), values.data(),
                                                                 matrix.cols);
    return values;
  }
};

class ManyRows : public testing::TestWithParam<Param> {
 protected:
  const KernelTable& table() const { return *GetParam().first; }
  DType dtype() const { return GetParam().second; }
  int64_t block() const { return Traits(dtype()).block_elements; }

  std::vector<float> Multiply(const Matrix& w, const ConstView& x, int threads = 1) {
    ThreadPool pool(threads);
    const Ops ops(table(), pool, Precision::kAuto);
    std::vector<float> y(static_cast<size_t>(x.rows * (w.rows + 3)), -77.0f);
    ops.Linear(w, x, View(y.data(), x.rows, w.rows, w.rows + 3));
    return y;
  }

  // Both factors rounded to eight bits (bfloat16), or one in blocks to the 127th part of the
  // largest: errors of about 0.2 and 0.5 % of the products' root mean square.
  void Check(const Weights& w, int64_t tokens, float scale = 1, double most_error = 0.008) {
    const int64_t rows = w.matrix.rows, cols = w.matrix.cols, stride = cols + 5;
    const auto x = random_.Normals(tokens * stride, scale);
    const auto y = Multiply(w.matrix, ConstView(x.data(), tokens, cols, stride));
    double squares = 0, expected_squares = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const auto row = w.Row(r);
      for (int64_t t = 0; t < tokens; ++t) {
        double expected = 0, magnitude = 0, square = 0;
        for (int64_t c = 0; c < cols; ++c) {
          const double product = double{row[c]} * x[t * stride + c];
          expected += product;
          magnitude += std::fabs(product);
          square += product * product;
        }
        const double got = y[t * (rows + 3) + r];
        ASSERT_NEAR(got, expected, magnitude / 64)
            << "row " << t << " of " << tokens << ", row " << r << " of " << rows << ", " << cols
            << " columns";
        squares += (got - expected) * (got - expected);
        expected_squares += square;
      }
    }
    EXPECT_LE(squares, expected_squares * most_error * most_error)
        << rows << " " << cols << " " << tokens;
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t i = 0; i < 3; ++i) ASSERT_EQ(y[t * (rows + 3) + rows + i], -77.0f);
    }
  }

  Random random_{7};
};

INSTANTIATE_TEST_SUITE_P(Tables, ManyRows, testing::ValuesIn(TablesAndTypes()),
                         [](const testing::TestParamInfo<Param>& param) {
                           return std::string(param.param.first->name) + "_" +
                                  Name(param.param.second);
                         });

TEST_P(ManyRows, RowCounts) {
  const int64_t cols = block() == 256 ? 768 : 608;  // more than one slab of columns
  for (int64_t rows : {1, 15, 16, 17, 31, 33, 48, 70}) {
    const Weights w(dtype(), rows, cols, random_);
    for (int64_t tokens : {9, 15, 16, 17, 31, 32, 33, 47, 70}) Check(w, tokens);
  }
}

TEST_P(ManyRows, ColumnCounts) {
  std::vector<int64_t> counts = {1, 2, 3, 5, 9};
  if (block() == 1) counts = {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 511, 513, 545, 1025};
  for (int64_t count : counts) {
    const Weights w(dtype(), 37, count * block(), random_);
    for (int64_t tokens : {9, 19}) Check(w, tokens);
  }
}

TEST_P(ManyRows, ManyGroupsAndBlocks) {
  Check(Weights(dtype(), 300, 512, random_), 530);
  Check(Weights(dtype(), 530, 1536, random_), 20);
  Check(Weights(dtype(), 32, 2560, random_), 140);
}

// Where they go another way x has twelve bits and W is exact.
TEST_P(ManyRows, SeveralRowsAreNearlyExact) {
  const ManyRowsKernels* several = table().several_rows;
  if (several == nullptr || several->multiply[static_cast<int>(dtype())] == nullptr) return;
  for (int64_t cols : {32, 96, 128, 160, 1536}) {
    for (int64_t tokens : {9, 16}) Check(Weights(dtype(), 150, cols, random_), tokens, 1, 0.0006);
  }
}

TEST_P(ManyRows, ColumnPrefix) {
  const Weights w(dtype(), 41, 256, random_, 512);
  for (int64_t tokens : {12, 21}) Check(w, tokens);
}

TEST_P(ManyRows, HugeAndSmallValues) {
  const Weights w(dtype(), 33, 512, random_);
  Check(w, 17, 1e30f);
  Check(w, 17, 1e-20f);
}

// Where the integers of a block, before any scale, lie in it.
std::pair<int64_t, int64_t> IntegerBytes(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return {offsetof(BlockQ8_0, qs), sizeof(BlockQ8_0::qs)};
    case DType::kQ4_0:
      return {offsetof(BlockQ4_0, qs), sizeof(BlockQ4_0::qs)};
    case DType::kQ4_1:
      return {offsetof(BlockQ4_1, qs), sizeof(BlockQ4_1::qs)};
    case DType::kQ5_0:
      return {offsetof(BlockQ5_0, qh), sizeof(BlockQ5_0::qh) + sizeof(BlockQ5_0::qs)};
    case DType::kQ5_1:
      return {offsetof(BlockQ5_1, qh), sizeof(BlockQ5_1::qh) + sizeof(BlockQ5_1::qs)};
    case DType::kQ4_K:
      return {offsetof(BlockQ4_K, qs), sizeof(BlockQ4_K::qs)};
    case DType::kQ5_K:
      return {offsetof(BlockQ5_K, qh), sizeof(BlockQ5_K::qh) + sizeof(BlockQ5_K::qs)};
    case DType::kQ6_K:
      return {offsetof(BlockQ6_K, ql), sizeof(BlockQ6_K::ql) + sizeof(BlockQ6_K::qh)};
    case DType::kIQ4_NL:
      return {offsetof(BlockIQ4_NL, qs), sizeof(BlockIQ4_NL::qs)};
    case DType::kIQ4_XS:
      return {offsetof(BlockIQ4_XS, qs), sizeof(BlockIQ4_XS::qs)};
    default:
      return {0, 0};
  }
}

// The largest sums that integers can have, where every product has the same sign.
TEST_P(ManyRows, ExtremeIntegersDoNotOverflow) {
  const auto [first, count] = IntegerBytes(dtype());
  const int64_t rows = 18, cols = 512, blocks = rows * cols / block();
  for (int fill : {0x00, 0xff, 0x80, 0x7f, 0x08, 0xf0}) {
    Weights w(dtype(), rows, cols, random_);
    const int64_t bytes = static_cast<int64_t>(w.bytes.size()) / blocks;
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t i = 0; i < count; ++i) w.bytes[b * bytes + first + i] = std::byte(fill);
    }
    w.matrix.data = w.bytes.data();
    std::vector<float> x(static_cast<size_t>(rows * cols));
    std::vector<double> sums(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      const auto row = w.Row(r);
      for (int64_t c = 0; c < cols; ++c) {
        x[r * cols + c] = row[c] < 0 ? -1.0f : 1.0f;
        sums[r] += std::fabs(row[c]);
      }
    }
    const auto y = Multiply(w.matrix, ConstView(x.data(), rows, cols));
    for (int64_t r = 0; r < rows; ++r)
      ASSERT_NEAR(y[r * (rows + 3) + r], sums[r], sums[r] / 256) << "filled with " << fill;
  }
}

// Blocks of x below 2^-100 count as zero where x is rounded to int8; elsewhere they are exact.
TEST_P(ManyRows, TinyBlocksAreNothing) {
  const int64_t rows = 9, cols = 512, tokens = 20;
  const Weights w(dtype(), rows, cols, random_);
  auto x = random_.Normals(tokens * cols);
  for (int64_t c = 0; c < cols; ++c) {
    x[3 * cols + c] *= 0x1p-140f;  // denormal
    x[4 * cols + c] *= c / 32 % 2 == 0 ? 0x1p-120f : 1.0f;
  }
  auto without = x;
  for (int64_t c = 0; c < cols; ++c) {
    without[3 * cols + c] = 0;
    if (c / 32 % 2 == 0) without[4 * cols + c] = 0;
  }
  const auto y = Multiply(w.matrix, ConstView(x.data(), tokens, cols));
  const auto expected = Multiply(w.matrix, ConstView(without.data(), tokens, cols));
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      const float want = expected[t * (rows + 3) + r];
      ASSERT_NEAR(y[t * (rows + 3) + r], want, 1e-30 + 1e-6 * std::fabs(want));
    }
  }
}

TEST_P(ManyRows, ARowsResultDoesNotDependOnItsCompany) {
  const int64_t rows = 77, cols = 1280, tokens = 75, out = rows + 3;
  const Weights w(dtype(), rows, cols, random_);
  const auto x = random_.Normals(tokens * cols);
  const auto all = Multiply(w.matrix, ConstView(x.data(), tokens, cols));
  const auto rows_of_x = [&](int64_t begin, int64_t count) {
    return ConstView(x.data() + begin * cols, count, cols);
  };
  for (auto [begin, count] :
       {std::pair<int64_t, int64_t>{0, 9}, {9, 11}, {20, 24}, {3, 40}, {42, 33}}) {
    const auto some = Multiply(w.matrix, rows_of_x(begin, count), 2);
    // A few rows may go another way, the same for all such companies.
    const int type = static_cast<int>(dtype());
    const ManyRowsKernels* several = table().several_rows;
    const bool in_float = table().many_rows->multiply[type] == nullptr;
    const bool offered = several != nullptr && several->multiply[type] != nullptr;
    const int64_t few =
        in_float ? table().many_rows_float->least_rows - 1 : (offered ? kSeveralRows : 0);
    const bool other_way = count <= few;
    const int64_t from = begin - begin % 7;
    const auto company =
        other_way ? Multiply(w.matrix, rows_of_x(from, std::min(few, tokens - from))) : all;
    const int64_t first = other_way ? begin % 7 : begin;
    for (int64_t i = 0; i < count * out; ++i) ASSERT_EQ(some[i], company[first * out + i]) << i;
  }
  for (int64_t begin : {1, 16, 50}) {  // nor on the other rows of W
    const auto some =
        Multiply(w.matrix.RowSlice(begin, rows - begin), ConstView(x.data(), tokens, cols));
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = begin; r < rows; ++r) {
        ASSERT_EQ(some[t * (out - begin) + r - begin], all[t * out + r]);
      }
    }
  }
  for (int threads : {2, 3, 5}) {
    ASSERT_EQ(Multiply(w.matrix, ConstView(x.data(), tokens, cols), threads), all);
  }
}

// x as tables without bfloat16 tiles round it, in blocks of 32, and its product with a row of W:
// exact sums of blocks, and these in float32 in ascending order.
template <class Block>
float Int8Product(const std::byte* row, const float* x, int64_t cols) {
  float total = 0;
  for (int64_t first = 0; first < cols; first += 32, row += sizeof(Block), x += 32) {
    Block block;
    std::memcpy(&block, row, sizeof(block));
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
    const float scale = largest < 0x1p-100f ? 0 : largest / 127.0f;
    int32_t sum = 0;
    for (int i = 0; i < 32; ++i) {
      const int32_t rounded =
          scale > 0 ? static_cast<int32_t>(std::nearbyint(x[i] * (1.0f / scale))) : 0;
      if constexpr (std::is_same_v<Block, BlockQ4_0>) {
        sum += rounded * ((block.qs[i % 16] >> i / 16 * 4 & 15) - 8);
      } else {
        sum += rounded * block.qs[i];
      }
    }
    total = std::fma(static_cast<float>(sum) * HalfToFloat(LoadU16(block.d)), scale, total);
  }
  return total;
}

TEST_P(ManyRows, Int8TablesGiveTheSameBits) {
  const bool nibbles = dtype() == DType::kQ4_0;
  if (table().name == std::string_view("amx") || (!nibbles && dtype() != DType::kQ8_0)) return;
  const int64_t rows = 45, cols = 1312, tokens = 23;
  const Weights w(dtype(), rows, cols, random_);
  auto x = random_.Normals(tokens * cols);
  for (int64_t i = 0; i < 32; ++i) x[4 * cols + 64 + i] *= 1e-33f, x[7 * cols + i] *= 1e20f;
  const auto y = Multiply(w.matrix, ConstView(x.data(), tokens, cols));
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      const std::byte* row = w.matrix.row(r);
      const float* values = x.data() + t * cols;
      const float expected = nibbles ? Int8Product<BlockQ4_0>(row, values, cols)
                                     : Int8Product<BlockQ8_0>(row, values, cols);
      ASSERT_EQ(FloatToBits(y[t * (rows + 3) + r]), FloatToBits(expected)) << t << " " << r;
    }
  }
}

TEST_P(ManyRows, NanAndInfinityStayInTheirRow) {
  const int64_t rows = 35, cols = 512, tokens = 40;
  const Weights w(dtype(), rows, cols, random_);
  auto x = random_.Normals(tokens * cols);
  x[5 * cols + 17] = NAN;
  x[36 * cols + 300] = INFINITY;
  for (int64_t c = 0; c < cols; ++c) x[20 * cols + c] = 0;
  const auto y = Multiply(w.matrix, ConstView(x.data(), tokens, cols));
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      const float got = y[t * (rows + 3) + r];
      if (t == 5) {
        ASSERT_TRUE(std::isnan(got)) << got;
      } else if (t == 36) {
        ASSERT_FALSE(std::isfinite(got)) << got;
      } else if (t == 20) {
        ASSERT_EQ(got, 0);
      } else {
        ASSERT_TRUE(std::isfinite(got)) << got;
      }
    }
  }
}

TEST_P(ManyRows, ReadsAndWritesNothingPastItsBuffers) {
  std::vector<int64_t> widths = {block(), 3 * block()};
  if (block() == 1) widths = {1, 3, 31, 33, 513, 530};
  ThreadPool pool(1);
  const Ops ops(table(), pool, Precision::kAuto);
  for (int64_t cols : widths) {
    for (int64_t rows : {1, 17, 33}) {
      const Weights m(dtype(), rows, cols, random_);
      AgainstPage weights(m.bytes);
      Matrix w = m.matrix;
      w.data = weights.bytes();
      for (int64_t tokens : {9, 33}) {
        AgainstPage x(random_.Normals(tokens * cols)), y(std::vector<float>(tokens * rows));
        ops.Linear(w, ConstView(x.floats(), tokens, cols), View(y.floats(), tokens, rows));
      }
    }
  }
}

TEST_P(ManyRows, GatedInputGivesTheBitsOfTheProductWithIt) {
  const int64_t rows = 35, cols = block() == 1 ? 550 : 1024, tokens = 41;
  const Weights w(dtype(), rows, cols, random_);
  auto gate = random_.Normals(tokens * cols);
  const auto up = random_.Normals(tokens * cols);
  std::vector<float> product(tokens * cols), y(tokens * rows), expected(tokens * rows);
  for (int64_t t = 0; t < tokens; ++t) {
    table().gelu_mul(gate.data() + t * cols, up.data() + t * cols, product.data() + t * cols, cols);
  }
  ThreadPool pool(2);
  const Ops ops(table(), pool, Precision::kAuto);
  ops.Linear(w.matrix, ConstView(product.data(), tokens, cols),
             View(expected.data(), tokens, rows));
  ops.LinearGated(w.matrix, View(gate.data(), tokens, cols), ConstView(up.data(), tokens, cols),
                  View(y.data(), tokens, rows));
  EXPECT_EQ(y, expected);
}

// What earlier products left in the scratch memory does not matter.
TEST_P(ManyRows, WhatCameBeforeDoesNotMatter) {
  ThreadPool pool(1);
  const Ops ops(table(), pool, Precision::kAuto);
  const int64_t cols = block() == 1 ? 530 : 3 * block(), tokens = 11;
  const Weights nan(DType::kF32, 64, 1024, random_), w(dtype(), 21, cols, random_);
  const std::vector<float> nans(40 * 1024, NAN);
  std::vector<float> out(40 * 64), y(tokens * 21);
  const auto x = random_.Normals(tokens * cols);
  ops.Linear(nan.matrix, ConstView(nans.data(), 40, 1024), View(out.data(), 40, 64));
  const Matrix nan_weights = {DType::kF32, 64, 512, 2048,
                              reinterpret_cast<const std::byte*>(nans.data())};
  ops.Linear(nan_weights, ConstView(nans.data(), 40, 512), View(out.data(), 40, 64));
  ops.Linear(w.matrix, ConstView(x.data(), tokens, cols), View(y.data(), tokens, 21));
  for (float v : y) ASSERT_FALSE(std::isnan(v));
}

TEST(ManyRowsLinear, SeveralMatricesOfOneInput) {
  Random random(3);
  std::vector<Param> all;
  for (const KernelTable* table : AvailableKernels()) {
    for (DType type : {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K}) all.emplace_back(table, type);
  }
  for (const auto& [table, type] : all) {
    ThreadPool pool(2);
    const Ops ops(*table, pool, Precision::kAuto), exact(*table, pool, Precision::kFloat32);
    const int64_t cols = 512, tokens = 600;
    const Weights a(type, 130, cols, random), b(DType::kQ8_0, 33, cols, random);
    const auto x = random.Normals(tokens * cols);
    const ConstView in(x.data(), tokens, cols);
    std::vector<float> ya(tokens * 130), yb(tokens * 33), one(tokens * 130), other(tokens * 33);
    ops.LinearEach(
        {{a.matrix, View(ya.data(), tokens, 130)}, {b.matrix, View(yb.data(), tokens, 33)}}, in);
    ops.Linear(a.matrix, in, View(one.data(), tokens, 130));
    ops.Linear(b.matrix, in, View(other.data(), tokens, 33));
    EXPECT_EQ(ya, one);
    EXPECT_EQ(yb, other);
    // The exact path is not touched.
    exact.Linear(b.matrix, in, View(yb.data(), tokens, 33));
    table->linear[static_cast<int>(DType::kQ8_0)](b.matrix, 0, 33, in,
                                                  View(other.data(), tokens, 33));
    EXPECT_EQ(yb, other);
  }
}

}  // namespace
}  // namespace gemma3n
