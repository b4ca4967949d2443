// Matrix products per table and dtype, for one token (bytes of weights per second) and many
// (operations per second), and the other heavy kernels.
//   kernels_bench --benchmark_filter='linear/avx512/Q4_0'     G3N_BENCH_THREADS=1 for one core
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "kernels/blocks.h"
#include "kernels/dispatch.h"
#include "kernels/ops.h"
#include "kernels/quantize.h"

namespace gemma3n {
namespace {

// Several gate projections of E4B, so that one token's weights come from memory, not from a cache.
constexpr int64_t kCols = 2048, kRows = 16384, kCopies = 4;

ThreadPool& Pool() {
  static ThreadPool pool(
      std::getenv("G3N_BENCH_THREADS") ? std::atoi(std::getenv("G3N_BENCH_THREADS")) : 0);
  return pool;
}

std::vector<float> Normals(int64_t n) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(rng);
  return values;
}

// One valid row repeated; the values do not matter to the speed.
Buffer RepeatedRow(DType dtype, int64_t rows, int64_t cols) {
  const int64_t row_bytes = RowBytes(dtype, cols);
  std::vector<std::byte> row(static_cast<size_t>(row_bytes));
  if (CanQuantize(dtype)) {
    const auto values = Normals(cols);
    QuantizeRow(dtype, values.data(), row.data(), cols);
  } else {  // half precision fields are 0x2c2c or 0x1111 = small normal numbers
    for (std::byte& b : row) b = std::byte{0x2c};
  }
  Buffer buffer =
      std::move(Buffer::Allocate(static_cast<size_t>(rows * row_bytes), "bench").value());
  for (int64_t r = 0; r < rows; ++r)
    std::copy(row.begin(), row.end(), buffer.as<std::byte>() + r * row_bytes);
  return buffer;
}

void BenchLinear(benchmark::State& state, const KernelTable* table, DType dtype, int64_t tokens) {
  const int64_t copies = tokens == 1 ? kCopies : 1, rows = tokens == 1 ? kRows : 4096;
  const Buffer weights = RepeatedRow(dtype, rows * copies, kCols);
  const auto x = Normals(tokens * kCols);
  std::vector<float> y(static_cast<size_t>(tokens * rows));
  const Ops ops(*table, Pool());
  Matrix w = {dtype, rows, kCols, RowBytes(dtype, kCols), weights.as<std::byte>()};
  int64_t copy = 0;
  for (auto _ : state) {
    w.data = weights.as<std::byte>() + copy * rows * w.row_bytes;
    ops.Linear(w, ConstView(x.data(), tokens, kCols), View(y.data(), tokens, rows));
    benchmark::ClobberMemory();
    copy = (copy + 1) % copies;
  }
  const double calls = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(
      2e-9 * calls * static_cast<double>(tokens * rows * kCols), benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(
      1e-9 * calls * static_cast<double>(rows * w.row_bytes), benchmark::Counter::kIsRate);
}

// One row of the MLP's width through an elementwise operation, on one thread.
void BenchRow(benchmark::State& state,
              const std::function<void(float*, const float*, int64_t)>& run) {
  auto y = Normals(kRows);
  const auto x = Normals(kRows);
  for (auto _ : state) {
    run(y.data(), x.data(), kRows);
    benchmark::ClobberMemory();
  }
  state.counters["Gvalue/s"] = benchmark::Counter(
      1e-9 * static_cast<double>(state.iterations() * kRows), benchmark::Counter::kIsRate);
}

void BenchQuantize(benchmark::State& state, DType dtype) {
  const auto x = Normals(kCols);
  std::vector<std::byte> row(static_cast<size_t>(RowBytes(dtype, kCols)));
  for (auto _ : state) QuantizeRow(dtype, x.data(), row.data(), kCols);
  state.counters["Mvalue/s"] = benchmark::Counter(
      1e-6 * static_cast<double>(state.iterations() * kCols), benchmark::Counter::kIsRate);
}

void RegisterTable(const KernelTable* table) {
  const std::string name = table->name;
  for (int64_t tokens : {1, 4, 16, 512}) {
    if (name == "reference" && tokens > 1) continue;
    for (int i = 0; i < kDTypeCount; ++i) {
      const auto dtype = static_cast<DType>(i);
      const std::string full =
          "linear/" + name + "/" + Name(dtype) + "/T:" + std::to_string(tokens);
      benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& s) {
        BenchLinear(s, table, dtype, tokens);
      })->UseRealTime();
    }
  }
  const auto row = [&](const char* op, std::function<void(float*, const float*, int64_t)> run) {
    benchmark::RegisterBenchmark((std::string(op) + "/" + name).c_str(),
                                 [run](benchmark::State& s) { BenchRow(s, run); });
  };
  row("rms_norm", [=](float* y, const float* x, int64_t n) { table->rms_norm(x, x, y, n, 1e-6f); });
  row("gelu_mul", [=](float* y, const float* x, int64_t n) { table->gelu_mul(x, x, y, n); });
  row("softmax", [=](float* y, const float*, int64_t n) { table->softmax(y, n); });
  row("softcap", [=](float* y, const float*, int64_t n) { table->softcap(y, n, 30); });
  row("gaussian_topk",
      [=](float* y, const float*, int64_t n) { table->gaussian_topk(y, n, 1.64f); });
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  using namespace gemma3n;
  for (const KernelTable* table : AvailableKernels()) RegisterTable(table);
  for (DType dtype : {DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
    benchmark::RegisterBenchmark((std::string("quantize/") + Name(dtype)).c_str(),
                                 [=](benchmark::State& s) { BenchQuantize(s, dtype); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
