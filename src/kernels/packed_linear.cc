#include "kernels/packed_linear.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "base/rounding.h"
#include "kernels/half.h"

namespace gemma3n {
namespace {

// A block of activations stays in the second-level cache while the weights pass by.
constexpr int64_t kBlockBytes = 1 << 20;
constexpr int64_t kBlocksPerThread = 2;    // so that a thread that is interrupted delays little
constexpr int64_t kMaxInt8Cols = 1 << 17;  // sums of 127 * 127 that surely fit an int32

// Uninitialised memory on a cache line's boundary.
template <typename T>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : data_(static_cast<T*>(::operator new(static_cast<size_t>(count) * sizeof(T), kAlign))) {}
  Scratch(Scratch&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() { ::operator delete(data_, kAlign); }
  T* data() const { return data_; }

 private:
  static constexpr std::align_val_t kAlign{64};
  T* data_;
};

const PackedKernels* KernelsOf(Arithmetic arithmetic, const KernelTable& table) {
  if (arithmetic == Arithmetic::kBFloat16) return table.bfloat16;
  if (arithmetic == Arithmetic::kInt8) return table.int8;
  return table.float32;
}

// Whether float32 products by parts can take W, and whether one part is all of each value.
struct Extent {
  bool tame = true, bfloat16 = true;
};

Extent Examine(const Matrix& w, const Ops& ops) {
  std::vector<float> values(static_cast<size_t>(ops.pool().threads() * w.cols));
  std::atomic<bool> tame = true, bfloat16 = true;
  ops.ForSlots(w.rows, [&](int slot, int64_t r) {
    float* row = values.data() + slot * w.cols;
    ops.Row(w, r, row);
    uint32_t largest = 0, all = 0;
    for (int64_t c = 0; c < w.cols; ++c) {
      all |= FloatToBits(row[c]);
      largest = std::max(largest, FloatToBits(row[c]) & 0x7fffffff);
    }
    if (largest != 0 && (largest < kTameLeast || largest >= kTameMost)) tame = false;
    if ((all & 0xffff) != 0) bfloat16 = false;
  });
  return {tame, bfloat16};
}

// Sixteen rows of W: packed as activations are, every `apart`th tile then transposed in groups of 4
// bytes, of which the upper `kept` are kept: 4, or 2 where float32 values are bfloat16.
template <int64_t kept>
void TransposeTiles(const std::byte* rows, int64_t apart, int64_t count, std::byte* tiles) {
  constexpr int64_t kGroups = kStepBytes / 4;
  for (int64_t s = 0; s < count; ++s, rows += apart * kTileBytes, tiles += kTileBytes * kept / 4) {
    for (int64_t r = 0; r < kStripRows; ++r) {
      for (int64_t g = 0; g < kGroups; ++g) {
        std::memcpy(tiles + (g * kStripRows + r) * kept, rows + (r * kGroups + g) * 4 + 4 - kept,
                    kept);
      }
    }
  }
}

// Columns [begin, end) of x to y.
void Narrow(const ConstView& x, int64_t begin, int64_t end, const BFloat16View& y) {
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t r = begin; r < end; ++r) y.row(t)[r] = FloatToBFloat16(x.row(t)[r]);
  }
}

int32_t SumOfRow(const std::byte* rows, int64_t steps, int64_t row) {
  int32_t sum = 0;
  for (int64_t s = 0; s < steps; ++s) {
    const std::byte* values = rows + s * kTileBytes + row * kStepBytes;
    for (int64_t i = 0; i < kStepBytes; ++i) sum += static_cast<int8_t>(values[i]);
  }
  return sum;
}

}  // namespace

Arithmetic PackedLinear::Fastest(const Ops& ops) {
  return ops.kernels().bfloat16 != nullptr ? Arithmetic::kBFloat16 : Arithmetic::kFloat32;
}

PackedLinear PackedLinear::Pack(const Matrix& w, Arithmetic arithmetic, const Ops& ops) {
  PackedLinear packed;
  packed.matrix_ = w;
  if (KernelsOf(arithmetic, ops.kernels()) == nullptr) arithmetic = Arithmetic::kFloat32;
  const PackedKernels* kernels = KernelsOf(arithmetic, ops.kernels());
  if (kernels == nullptr || w.rows <= 0 || w.cols <= 0) return packed;
  if (arithmetic == Arithmetic::kInt8 && w.cols > kMaxInt8Cols) return packed;

  int64_t parts = 1;
  if (arithmetic == Arithmetic::kFloat32 && ops.kernels().float32_parts != nullptr) {
    if (const Extent extent = Examine(w, ops); extent.tame) {
      kernels = ops.kernels().float32_parts;
      parts = extent.bfloat16 ? 1 : kernels->parts;
    }
  }
  const int64_t padded = RoundUp(w.rows, kPanelRows), steps = CeilDiv(w.cols, kernels->step);
  const bool halved = kernels == ops.kernels().float32 && w.dtype == DType::kBF16;
  const int64_t row_tile_bytes = steps * kernels->parts * kTileBytes,
                strip_bytes = steps * parts * kTileBytes / (halved ? 2 : 1);
  const int64_t tile_bytes = padded / kStripRows * strip_bytes;
  auto memory = Buffer::Allocate(static_cast<size_t>(tile_bytes + padded * 8), "packed weights");
  if (!memory.ok()) return packed;
  packed.storage_ = std::make_shared<Buffer>(std::move(*memory));
  auto* tiles = packed.storage_->as<std::byte>();
  auto* scales = reinterpret_cast<float*>(tiles + tile_bytes);
  auto* starts = reinterpret_cast<int32_t*>(scales + padded);

  std::vector<float> values(static_cast<size_t>(ops.pool().threads() * kStripRows * w.cols));
  std::vector<std::byte> rows(static_cast<size_t>(ops.pool().threads() * row_tile_bytes));
  ops.ForSlots(CeilDiv(w.rows, kStripRows), [&](int slot, int64_t strip) {
    const int64_t first = strip * kStripRows, count = std::min(kStripRows, w.rows - first);
    float* decoded = values.data() + slot * kStripRows * w.cols;
    std::byte* row_tiles = rows.data() + slot * row_tile_bytes;
    for (int64_t i = 0; i < count; ++i) ops.Row(w, first + i, decoded + i * w.cols);
    kernels->pack(ConstView(decoded, count, w.cols), w.cols, 0, row_tiles, scales + first);
    (halved ? TransposeTiles<2> : TransposeTiles<4>)(row_tiles, kernels->parts / parts,
                                                     steps * parts, tiles + strip * strip_bytes);
    if (kernels->flip == 0) return;
    for (int64_t i = 0; i < count; ++i)
      starts[first + i] = -kernels->flip * SumOfRow(row_tiles, steps, i);
  });
  packed.kernels_ = kernels;
  packed.packed_ = {w.rows, steps, tiles, halved, parts, 0, steps, scales, starts};
  packed.arithmetic_ = arithmetic;
  packed.matrix_.data = nullptr;
  return packed;
}

// Bytes of a row of x that are packed at a time.
int64_t PackedLinear::RowTileBytes() const {
  return CeilDiv(packed_.steps, kernels_->Passes(packed_.steps)) * kernels_->parts * kStepBytes;
}

int64_t PackedLinear::BlockRows() const {
  const int64_t fit = kBlockBytes / RowTileBytes();
  return std::clamp(fit / kPanelRows * kPanelRows, kPanelRows, kBlockRows);
}

void PackedLinear::ApplyBlock(const InputView& x, int64_t begin, int64_t end, const OutputView& y,
                              std::byte* tiles, float* scales) const {
  if (kernels_->pass_steps != 0 && y.f32.data == nullptr) {
    const Scratch<float> sums(x.rows() * matrix_.rows);
    const View wide(sums.data(), x.rows(), matrix_.rows);
    ApplyBlock(x, begin, end, wide, tiles, scales);
    return Narrow(wide, begin, end, y.bf16);
  }
  PackedMatrix pass = packed_;
  const int64_t passes = kernels_->Passes(pass.steps);
  for (int64_t i = 0; i < passes; ++i) {
    pass.first = pass.steps * i / passes;
    pass.count = pass.steps * (i + 1) / passes - pass.first;
    const int64_t column = pass.first * kernels_->step,
                  columns = std::min(pass.count * kernels_->step, matrix_.cols - column);
    kernels_->pack(x.Columns(column, columns), columns, kernels_->flip, tiles, scales);
    kernels_->multiply(pass, begin, end, {x.rows(), tiles, scales}, y);
  }
}

void PackedLinear::ApplyRows(const InputView& x, const OutputView& y, const Ops& ops) const {
  const int64_t tokens = x.rows();
  if (tokens <= 0 || matrix_.rows <= 0) return;
  if (kernels_ == nullptr) return ApplyExactly(x, y, ops);
  const int64_t block = std::min(BlockRows(), RoundUp(tokens, kStripRows));
  const Scratch<std::byte> tiles(block * RowTileBytes());
  float scales[kBlockRows];
  for (int64_t t = 0; t < tokens; t += block) {
    const int64_t count = std::min(block, tokens - t);
    ApplyBlock(x.Rows(t, count), 0, matrix_.rows, y.Rows(t, count), tiles.data(), scales);
  }
}

void PackedLinear::Apply(const InputView& x, const OutputView& y, const Ops& ops) const {
  const int64_t tokens = x.rows(), threads = ops.pool().threads();
  if (tokens <= 0 || matrix_.rows <= 0) return;
  if (threads == 1) return ApplyRows(x, y, ops);
  if (kernels_ == nullptr) {
    if (x.f32.data != nullptr && y.f32.data != nullptr) return ops.Linear(matrix_, x.f32, y.f32);
    return ops.ForSlots(CeilDiv(tokens, kBlockRows), [&](int, int64_t i) {
      const int64_t count = std::min(kBlockRows, tokens - i * kBlockRows);
      ApplyRows(x.Rows(i * kBlockRows, count), y.Rows(i * kBlockRows, count), ops);
    });
  }
  // Blocks of activation rows; where these are few, ranges of W's rows as well.
  const int64_t wanted = threads * kBlocksPerThread;
  const int64_t block = std::min(BlockRows(), RoundUp(CeilDiv(tokens, wanted), kPanelRows));
  const int64_t blocks = CeilDiv(tokens, block);
  const int64_t range =
      RoundUp(CeilDiv(matrix_.rows, CeilDiv(wanted, blocks)), kernels_->range_rows);
  const int64_t ranges = CeilDiv(matrix_.rows, range);
  const int64_t block_bytes = block * RowTileBytes();
  const Scratch<std::byte> tiles(threads * block_bytes);
  ops.ForSlots(blocks * ranges, [&](int slot, int64_t i) {
    const int64_t t = i / ranges * block, count = std::min(block, tokens - t),
                  r = i % ranges * range;
    float scales[kBlockRows];
    ApplyBlock(x.Rows(t, count), r, std::min(r + range, matrix_.rows), y.Rows(t, count),
               tiles.data() + slot * block_bytes, scales);
  });
}

// The exact path knows float32 activations only; others are widened and rounded around it.
void PackedLinear::ApplyExactly(const InputView& x, const OutputView& y, const Ops& ops) const {
  const auto linear = ops.kernels().linear[static_cast<int>(matrix_.dtype)];
  const int64_t rows = matrix_.rows, cols = matrix_.cols;
  if (x.f32.data != nullptr && y.f32.data != nullptr) return linear(matrix_, 0, rows, x.f32, y.f32);
  const int64_t tokens = x.rows(), block = std::min(kBlockRows, tokens);
  const auto widen = ops.kernels().dequantize[static_cast<int>(DType::kBF16)];
  const Scratch<float> wide_x(block * cols), wide_y(block * rows);
  for (int64_t t = 0; t < tokens; t += block) {
    const int64_t count = std::min(block, tokens - t);
    ConstView in(wide_x.data(), count, cols);
    if (x.f32.data != nullptr) {
      in = x.f32.Rows(t, count);
    } else {
      for (int64_t i = 0; i < count; ++i) {
        widen(reinterpret_cast<const std::byte*>(x.bf16.row(t + i)), wide_x.data() + i * cols,
              cols);
      }
    }
    const View out =
        y.f32.data != nullptr ? y.f32.Rows(t, count) : View(wide_y.data(), count, rows);
    linear(matrix_, 0, rows, in, out);
    if (y.f32.data != nullptr) continue;
    Narrow(out, 0, rows, y.bf16.Rows(t, count));
  }
}

}  // namespace gemma3n
