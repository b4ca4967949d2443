// A Q4_0 matrix by columns: every value where it belongs, products of few columns for every table.
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

struct Stored {
  std::vector<std::byte> bytes;
  Matrix matrix;
  std::vector<float> values;  // [rows, cols]
};

Stored RandomQ4_0(int64_t rows, int64_t cols, Random& random) {
  Stored s;
  const int64_t row_bytes = RowBytes(DType::kQ4_0, cols);
  s.values.resize(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = RandomRow(DType::kQ4_0, cols, random);
    s.bytes.insert(s.bytes.end(), row.begin(), row.end());
    reference::kTable.dequantize[static_cast<int>(DType::kQ4_0)](row.data(),
                                                                 s.values.data() + r * cols, cols);
  }
  s.matrix = {DType::kQ4_0, rows, cols, row_bytes, s.bytes.data()};
  return s;
}

TEST(LazyColumns, SuitsWholeTilesOfQ4_0Only) {
  const Matrix w{DType::kQ4_0, 64, 96, 54, nullptr};
  EXPECT_TRUE(LazyColumns::Suits(w));
  EXPECT_FALSE(LazyColumns::Suits(w.RowSlice(0, 48)));
  EXPECT_FALSE(LazyColumns::Suits({DType::kQ8_0, 64, 96, 102, nullptr}));
}

// Alone in x, a column comes out as it was stored, rounded once.
TEST(LazyColumns, EveryColumnIsTheStoredOne) {
  Random random(1);
  for (auto [rows, cols] :
       {std::pair<int64_t, int64_t>{32, 32}, {64, 1120}, {160, 96}, {288, 64}}) {
    const Stored s = RandomQ4_0(rows, cols, random);
    for (int threads : {1, 3}) {
      ThreadPool pool(threads);
      LazyColumns lazy(s.matrix);
      const ColumnMatrix columns = lazy.Get(pool);
      EXPECT_EQ(lazy.Get(pool).data, columns.data);  // made once
      std::vector<float> y(static_cast<size_t>(rows));
      const float one = 1;
      for (int32_t c = 0; c < cols; ++c) {
        reference::kTable.columns(columns, 0, rows, &c, &one, 1, y.data());
        for (int64_t r = 0; r < rows; ++r)
          ASSERT_EQ(y[r], s.values[r * cols + c]) << r << ", " << c;
      }
    }
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
  const Stored s = RandomQ4_0(512, 1024, random);
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

class Columns : public EveryTable {};

INSTANTIATE_TEST_SUITE_P(Tables, Columns, testing::ValuesIn(DistinctFloatKernels()), TableName);

TEST_P(Columns, EveryCountAndRangeOfRows) {
  Random random(2);
  const int64_t rows = 608, cols = 512;
  const Stored s = RandomQ4_0(rows, cols, random);
  ThreadPool pool(1);
  LazyColumns lazy(s.matrix);
  const ColumnMatrix columns = lazy.Get(pool);
  for (int64_t count : {0, 1, 2, 3, 5, 17, 512}) {
    std::vector<int32_t> list;
    for (int64_t i = 0; i < count; ++i) list.push_back(static_cast<int32_t>(i * cols / count));
    const auto x = random.Normals(count);
    for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, rows}, {0, 32}, {32, 352}, {96, 96}}) {
      std::vector<float> y(rows, -77.0f);
      table().columns(columns, begin, end, list.data(), x.data(), count, y.data());
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
        ASSERT_NEAR(y[r], expected, 3e-7 * magnitude) << "row " << r << ", " << count << " columns";
      }
    }
  }
}

TEST_P(Columns, ReadsAndWritesNothingPastItsBuffers) {
  Random random(3);
  for (int64_t rows : {32, 64, 288}) {
    const Stored s = RandomQ4_0(rows, 64, random);
    ThreadPool pool(1);
    LazyColumns lazy(s.matrix);
    ColumnMatrix columns = lazy.Get(pool);
    AgainstPage data(columns.data, static_cast<size_t>(2 * columns.block_bytes()));
    columns.data = data.bytes();
    const int32_t list[] = {0, 31, 33, 63};
    AgainstPage x(random.Normals(4)), y{std::vector<float>(rows)};
    table().columns(columns, 0, rows, list, x.floats(), 4, y.floats());
  }
}

TEST_P(Columns, NanAndInfinityReachEveryRow) {
  Random random(4);
  const Stored s = RandomQ4_0(64, 64, random);
  ThreadPool pool(1);
  LazyColumns lazy(s.matrix);
  const int32_t list[] = {3, 40};
  const float x[] = {1, NAN};
  std::vector<float> y(64);
  table().columns(lazy.Get(pool), 0, 64, list, x, 2, y.data());
  for (float v : y) EXPECT_TRUE(std::isnan(v));
}

}  // namespace
}  // namespace gemma3n
