// Products of few rows straight from memory, beside plain reading: bytes of weights per second on
// each thread's own processor time, so that other work on the machine counts little.
//   few_rows_bench [THREADS [TABLE]]     one line per dtype and number of rows of x
//   few_rows_bench columns [TABLE]       down of a sparse layer of E4B: its copy by columns made,
//                                        the columns that are left read, all of it read as rows
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "kernels/columns.h"
#include "kernels/dispatch.h"
#include "kernels/few_rows.h"
#include "kernels/quantize.h"

namespace gemma3n {
namespace {

constexpr int64_t kBytes = int64_t{1} << 30;   // more than any cache holds
constexpr int64_t kCols = 2048, kRange = 512;  // columns; rows of one call, as Ops cuts them

double Now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The best of several runs of all threads at once: the sum of what each thread read per second.
template <class Run>
double Best(int threads, int64_t bytes_each, const Run& run) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    std::vector<double> rates(static_cast<size_t>(threads));
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        const double start = Now();
        run(t);
        rates[static_cast<size_t>(t)] = 1e-9 * static_cast<double>(bytes_each) / (Now() - start);
      });
    }
    for (auto& worker : workers) worker.join();
    double sum = 0;
    for (double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

// Four streams at once, one value of each cache line.
double ReadRate(const std::byte* memory, int threads) {
  const int64_t each = kBytes / threads / 256 * 256, words = each / 8;
  static volatile uint64_t sink = 0;
  return Best(threads, each, [&](int t) {
    const auto* p = reinterpret_cast<const uint64_t*>(memory + t * each);
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (int64_t i = 0; i < words / 4; i += 8) {
      a += p[i], b += p[i + words / 4], c += p[i + words / 2], d += p[i + words / 4 * 3];
    }
    sink = sink + a + b + c + d;
  });
}

// Fills memory with copies of one valid row.
void FillRows(std::byte* memory, DType dtype, int64_t rows, int64_t cols) {
  const int64_t row_bytes = RowBytes(dtype, cols);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(cols));
  for (float& v : values) v = normal(rng);
  std::vector<std::byte> row(static_cast<size_t>(row_bytes), std::byte{0x2c});
  if (CanQuantize(dtype)) QuantizeRow(dtype, values.data(), row.data(), cols);
  for (int64_t r = 0; r < rows; ++r) std::memcpy(memory + r * row_bytes, row.data(), row.size());
}

const FewRowsKernel* Planes(const KernelTable& table, DType dtype) {
  if (table.few_rows == nullptr) return nullptr;
  const FewRowsKernel& few = table.few_rows->of[static_cast<int>(dtype)];
  return few.multiply != nullptr ? &few : nullptr;
}

// Times products with `tokens` rows.
void Measure(std::byte* memory, const KernelTable& table, DType dtype, int threads, double peak) {
  const int64_t row_bytes = RowBytes(dtype, kCols);
  const int64_t rows = kBytes / threads / row_bytes / kRange * kRange;
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(kFewRows * kCols));
  for (float& v : x) v = normal(rng);
  FillRows(memory, dtype, rows * threads, kCols);

  const FewRowsKernel* few = Planes(table, dtype);
  const int64_t stride = few != nullptr ? (few->PackedBytes(kCols) + 63) / 64 * 64 : 64;
  Buffer packed =
      std::move(Buffer::Allocate(static_cast<size_t>(stride * kFewRows), "bench").value());
  for (int64_t t = 0; few != nullptr && t < kFewRows; ++t)
    few->pack(x.data() + t * kCols, kCols, packed.as<std::byte>() + t * stride);

  std::printf("%-5s %s", Name(dtype), few != nullptr ? "planes " : "float32");
  for (int64_t tokens : {1, 2, 4, 8}) {
    std::vector<float> y(static_cast<size_t>(threads * tokens * kRange));
    const double rate = Best(threads, rows * row_bytes, [&](int thread) {
      const View out(y.data() + thread * tokens * kRange, tokens, kRange);
      for (int64_t r = 0; r < rows; r += kRange) {
        const Matrix w = {dtype, kRange, kCols, row_bytes,
                          memory + (thread * rows + r) * row_bytes};
        if (few != nullptr) {
          few->multiply(w, {0, kRange}, {packed.as<std::byte>(), tokens, stride}, out);
        } else {
          table.linear[static_cast<int>(dtype)](w, 0, kRange, ConstView(x.data(), tokens, kCols),
                                                out);
        }
      }
    });
    std::printf("   %ld: %5.1f GB/s %3.0f %%", static_cast<long>(tokens), rate, 100 * rate / peak);
  }
  std::printf("\n");
  std::fflush(stdout);
}

// One thread: 40 matrices in turn, or as many as fit, 5 % of the columns at random places.
void MeasureColumns(std::byte* memory, const KernelTable& table, DType dtype) {
  constexpr int64_t kHidden = 2048, kWidth = 16384;
  const int64_t row_bytes = RowBytes(dtype, kWidth), bytes = kHidden * row_bytes;
  const int64_t matrices = std::min<int64_t>(40, kBytes / bytes);
  FillRows(memory, dtype, kHidden * matrices, kWidth);
  std::mt19937 rng(1);
  std::vector<int32_t> list;
  for (int32_t c = 0; c < kWidth; ++c) {
    if (rng() % 20 == 0) list.push_back(c);
  }
  const std::vector<float> x(static_cast<size_t>(kWidth), 0.5f);
  std::vector<float> y(static_cast<size_t>(kHidden));
  const View out(y.data(), 1, kHidden);
  const FewRowsKernel* few = Planes(table, dtype);
  const int64_t stride = few != nullptr ? few->PackedBytes(kWidth) : 0;
  Buffer packed = std::move(Buffer::Allocate(static_cast<size_t>(stride), "bench").value());
  if (few != nullptr) few->pack(x.data(), kWidth, packed.as<std::byte>());
  const auto multiply = table.columns[static_cast<int>(dtype)];
  ThreadPool pool(1);
  std::vector<std::unique_ptr<LazyColumns>> lazy;
  double making = 1e9, columns = 1e9, rows = 1e9;
  for (int64_t m = 0; m < matrices; ++m) {
    const Matrix w = {dtype, kHidden, kWidth, row_bytes, memory + m * bytes};
    lazy.push_back(std::make_unique<LazyColumns>(w));
    const double start = Now();
    lazy.back()->Get(pool);
    making = std::min(making, Now() - start);
  }
  for (int i = 0; i < 5; ++i) {
    double start = Now();
    for (const auto& copy : lazy) {
      const ColumnMatrix w = copy->Get(pool);
      for (int64_t r = 0; r < kHidden; r += 256)
        multiply(w, r, r + 256, list.data(), x.data(), std::ssize(list), y.data());
    }
    columns = std::min(columns, (Now() - start) / static_cast<double>(matrices));
    start = Now();
    for (int64_t m = 0; m < matrices; ++m) {
      const Matrix w = {dtype, kHidden, kWidth, row_bytes, memory + m * bytes};
      if (few != nullptr) {
        few->multiply(w, {0, kHidden}, {packed.as<std::byte>(), 1, stride}, out);
      } else {
        table.linear[static_cast<int>(dtype)](w, 0, kHidden, ConstView(x.data(), 1, kWidth), out);
      }
    }
    rows = std::min(rows, (Now() - start) / static_cast<double>(matrices));
  }
  std::printf("%-5s made in %5.1f ms; %ld columns %6.0f us, all rows %6.0f us (%ld matrices)\n",
              Name(dtype), 1e3 * making, static_cast<long>(std::ssize(list)), 1e6 * columns,
              1e6 * rows, static_cast<long>(matrices));
  std::fflush(stdout);
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  using namespace gemma3n;
  const bool by_columns = argc > 1 && std::string(argv[1]) == "columns";
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  Buffer memory = std::move(Buffer::Allocate(static_cast<size_t>(kBytes), "bench").value());
  std::memset(memory.as<std::byte>(), 1, static_cast<size_t>(kBytes));
  const double peak = ReadRate(memory.as<std::byte>(), threads);
  std::printf("reading alone, %d threads: %.1f GB/s\n", threads, peak);
  for (const KernelTable* table : AvailableKernels()) {
    if (argc > 2 ? std::string(argv[2]) != table->name : table != AvailableKernels().back())
      continue;
    std::printf("%s\n", table->name);
    for (DType dtype : {DType::kQ4_0, DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K,
                        DType::kIQ4_NL, DType::kIQ4_XS, DType::kBF16, DType::kF16, DType::kF32}) {
      if (by_columns) {
        const Matrix w = {dtype, 2048, 16384, 0, nullptr};
        if (LazyColumns::Suits(w)) MeasureColumns(memory.as<std::byte>(), *table, dtype);
        continue;
      }
      Measure(memory.as<std::byte>(), *table, dtype, threads, peak);
    }
  }
  return 0;
}
