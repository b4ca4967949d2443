// A matrix by columns: every value of every type where it belongs, products of few columns for
// every table.
#include "kernels/columns.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "kernel_test_util.h"
#include "kernels/reference/reference.h"

namespace gemma3n {
namespace {

constexpr DType kTypes[] = {DType::kF16,  DType::kBF16, DType::kQ4_0, DType::kQ8_0,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

// The columns of a block, and the least number that a matrix may have.
int64_t Block(DType dtype) { return LayoutByColumns(dtype).block; }

TestMatrix RandomColumns(DType dtype, int64_t rows, int64_t blocks, Random& random) {
  return RandomMatrix(dtype, rows, blocks * Block(dtype), random, Block(dtype));
}

ColumnMatrix Turned(LazyColumns& lazy) {
  ThreadPool pool(1);
  return lazy.Get(pool);
}

TEST(LazyColumns, SuitsWholeTilesOfTheTypesThatHaveALayout) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const bool expected = std::ranges::find(kTypes, dtype) != std::end(kTypes);
    const Matrix w = {dtype, 64, 512, RowBytes(dtype, 512), nullptr};
    EXPECT_EQ(LazyColumns::Suits(w), expected) << Name(dtype);
    EXPECT_FALSE(LazyColumns::Suits(w.RowSlice(0, 48))) << Name(dtype);
    EXPECT_FALSE(LazyColumns::Suits(w.RowSlice(0, 0))) << Name(dtype);
    EXPECT_FALSE(LazyColumns::Suits(w.ColPrefix(500))) << Name(dtype);
  }
}

// Alone in x, a column comes out as dequantising gives it. Sizes on both sides of those that are
// turned together.
TEST(LazyColumns, EveryColumnIsTheStoredOne) {
  Random random(1);
  for (DType dtype : kTypes) {
    for (auto [rows, blocks] : {std::pair<int64_t, int64_t>{32, 1}, {64, 35}, {160, 3}, {288, 2}}) {
      const TestMatrix s = RandomColumns(dtype, rows, blocks, random);
      const int64_t cols = s.matrix.cols;
      for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        LazyColumns lazy(s.matrix);
        const ColumnMatrix columns = lazy.Get(pool);
        EXPECT_EQ(lazy.Get(pool).data, columns.data);  // made once
        std::vector<float> y(static_cast<size_t>(rows));
        const float one = 1;
        for (int32_t c = 0; c < cols; ++c) {
          reference::kTable.columns[static_cast<int>(dtype)](columns, 0, rows, &c, &one, 1,
                                                             y.data());
          for (int64_t r = 0; r < rows; ++r)
            ASSERT_EQ(y[r], s.values[r * cols + c]) << Name(dtype) << ": " << r << ", " << c;
        }
      }
    }
  }
}

// The copies cost memory beside a file's cache: none is much larger than what it stands for.
TEST(LazyColumns, TakesAboutTheMemoryOfTheMatrix) {
  for (DType dtype : kTypes) {
    const ColumnLayout layout = LayoutByColumns(dtype);
    EXPECT_LE(static_cast<double>(layout.block_bytes(64)),
              1.35 * static_cast<double>(64 * RowBytes(dtype, layout.block)))
        << Name(dtype);
  }
}

// Resident bytes of this process that belong to the mapping at `start`.
int64_t ResidentBytes(const std::byte* start) {
  std::ifstream maps("/proc/self/smaps");
  const std::string wanted = fmt::format("{:x}-", reinterpret_cast<uintptr_t>(start));
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) here = line.starts_with(wanted);
    if (here && line.starts_with("Rss:")) return 1024 * std::stoll(line.substr(4));
  }
  return -1;
}

// A prompt that comes after an answer reads the matrix once more: its pages must not stay once
// columns are wanted again.
TEST(LazyColumns, LetsGoOfTheMappedMatrixOnceTheCopyIsThere) {
  Random random(3);
  const TestMatrix s = RandomMatrix(DType::kQ4_0, 512, 1024, random, 0, 0);
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("g3n_columns_{}", ::getpid())).string();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(s.bytes.data()), std::ssize(s.bytes));
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  Matrix w = s.matrix;
  w.data = file->bytes().data();
  LazyColumns lazy(w, /*mapped=*/true);
  const auto read = [&] { return std::equal(s.bytes.begin(), s.bytes.end(), w.data); };
  EXPECT_TRUE(read());
  lazy.WasRead(512);  // nothing to let go for yet
  EXPECT_GT(ResidentBytes(w.data), 200000);
  ThreadPool pool(2);
  lazy.Get(pool);
  EXPECT_LT(ResidentBytes(w.data), 10000);
  EXPECT_TRUE(read()) << "the pages come back";
  EXPECT_GT(ResidentBytes(w.data), 200000);
  lazy.Get(pool);
  EXPECT_GT(ResidentBytes(w.data), 200000) << "nobody has said so";
  lazy.WasRead(16);
  EXPECT_GT(ResidentBytes(w.data), 200000) << "another pass may follow";
  lazy.Get(pool);
  EXPECT_LT(ResidentBytes(w.data), 10000);
  EXPECT_TRUE(read());
  lazy.WasRead(512);
  EXPECT_LT(ResidentBytes(w.data), 10000) << "at once after a long one";
  std::filesystem::remove(path);
}

class Columns : public EveryTable {
 protected:
  void Multiply(const ColumnMatrix& w, int64_t begin, int64_t end, const int32_t* list,
                const float* x, int64_t count, float* y) const {
    table().columns[static_cast<int>(w.dtype)](w, begin, end, list, x, count, y);
  }
};

INSTANTIATE_TEST_SUITE_P(Tables, Columns, testing::ValuesIn(DistinctFloatKernels()), TableName);

TEST_P(Columns, OneColumnHasTheBitsOfDequantising) {
  Random random(5);
  for (DType dtype : kTypes) {
    const int64_t rows = 352;
    const TestMatrix s = RandomColumns(dtype, rows, 2, random);
    LazyColumns lazy(s.matrix);
    const ColumnMatrix columns = Turned(lazy);
    std::vector<float> y(rows);
    const float one = 1;
    for (int32_t c = 0; c < s.matrix.cols; ++c) {
      Multiply(columns, 0, rows, &c, &one, 1, y.data());
      for (int64_t r = 0; r < rows; ++r)
        ASSERT_EQ(y[r], s.values[r * s.matrix.cols + c]) << Name(dtype) << ": " << r << ", " << c;
    }
  }
}

TEST_P(Columns, EveryCountAndRangeOfRows) {
  Random random(2);
  const int64_t rows = 608, cols = 512;
  for (DType dtype : kTypes) {
    const TestMatrix s = RandomMatrix(dtype, rows, cols, random);
    LazyColumns lazy(s.matrix);
    const ColumnMatrix columns = Turned(lazy);
    for (int64_t count : {0, 1, 2, 3, 5, 17, 512}) {
      std::vector<int32_t> list;
      for (int64_t i = 0; i < count; ++i) list.push_back(static_cast<int32_t>(i * cols / count));
      const auto x = random.Normals(count);
      for (auto [begin, end] :
           {std::pair<int64_t, int64_t>{0, rows}, {0, 32}, {32, 352}, {96, 96}}) {
        std::vector<float> y(rows, -77.0f);
        Multiply(columns, begin, end, list.data(), x.data(), count, y.data());
        for (int64_t r = 0; r < rows; ++r) {
          if (r < begin || r >= end) {
            ASSERT_EQ(y[r], -77.0f);
            continue;
          }
          double expected = 0, magnitude = 0;
          for (int64_t i = 0; i < count; ++i) {
            const double product = static_cast<double>(x[i]) * s.values[r * cols + list[i]];
            expected += product;
            magnitude += std::fabs(product);
          }
          ASSERT_NEAR(y[r], expected, 3e-7 * magnitude)
              << Name(dtype) << ", row " << r << ", " << count << " columns";
        }
      }
    }
  }
}

TEST_P(Columns, ReadsAndWritesNothingPastItsBuffers) {
  Random random(3);
  for (DType dtype : kTypes) {
    const auto block = static_cast<int32_t>(Block(dtype));
    for (int64_t rows : {32, 64, 288}) {
      const TestMatrix s = RandomColumns(dtype, rows, 2, random);
      const int64_t row_bytes = RowBytes(dtype, s.matrix.cols);
      std::vector<std::byte> stored;  // without what RandomColumns has beside the prefix
      for (int64_t r = 0; r < rows; ++r)
        stored.insert(stored.end(), s.matrix.row(r), s.matrix.row(r) + row_bytes);
      AgainstPage w(stored);
      LazyColumns lazy({dtype, rows, s.matrix.cols, row_bytes, w.bytes()});
      ColumnMatrix columns = Turned(lazy);
      AgainstPage data(columns.data,
                       static_cast<size_t>(2 * LayoutByColumns(dtype).block_bytes(rows)));
      columns.data = data.bytes();
      const int32_t list[] = {0, block - 1, block + 1, 2 * block - 1};
      AgainstPage x(random.Normals(4)), y{std::vector<float>(rows)};
      Multiply(columns, 0, rows, list, x.floats(), 4, y.floats());
    }
  }
}

TEST_P(Columns, NanAndInfinityReachEveryRow) {
  Random random(4);
  for (DType dtype : kTypes) {
    const TestMatrix s = RandomColumns(dtype, 64, 2, random);
    LazyColumns lazy(s.matrix);
    const auto block = static_cast<int32_t>(Block(dtype));
    const int32_t list[] = {block / 2, block + 1};
    const float x[] = {1, NAN};
    std::vector<float> y(64);
    Multiply(Turned(lazy), 0, 64, list, x, 2, y.data());
    for (float v : y) EXPECT_TRUE(std::isnan(v)) << Name(dtype);
  }
}

}  // namespace
}  // namespace gemma3n
