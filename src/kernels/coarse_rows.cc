#include "kernels/coarse_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "base/arg_max.h"
#include "base/file.h"
#include "kernels/few_rows.h"

namespace gemma3n {
namespace {

constexpr int64_t kSampledRows = 1024;  // that the columns' sizes are taken from
constexpr float kStep = 0.586f;  // of a row's rms: the best eight even steps of normal values
constexpr int64_t kPiece = 32 * CoarseRows::kBlock;  // rows copied before their pages are let go
constexpr int kWanted = 8;
constexpr float kMaximum = 127;  // of a rounded x

// Row of x in bytes.
struct RoundedRow {
  float scale = 0;
  float centre = 0;  // of the levels, times the sum of the bytes
};

}  // namespace

CoarseRows::CoarseRows(const Matrix& w, bool mapped)
    : w_(w), mapped_(mapped), padded_(RoundUp(w.cols, kCoarseColumns)) {}

int64_t CoarseRows::bytes() const {
  return w_.rows * (levels_bytes() + 2 * static_cast<int64_t>(sizeof(float)));
}

bool CoarseRows::Want(const Ops& ops) {
  if (!ready_ && ++wanted_ >= kWanted) Make(ops);
  return ready_;
}

void CoarseRows::MeasureColumns(const Ops& ops) {
  const auto cols = static_cast<size_t>(w_.cols);
  const KernelTable& k = ops.kernels();
  std::vector<float> row(cols);
  column_.assign(cols, 0);
  inverse_column_.resize(cols);
  const int64_t step = std::max<int64_t>(1, w_.rows / kSampledRows);
  int64_t count = 0;
  for (int64_t r = 0; r < w_.rows; r += step) {
    ops.Row(w_, r, row.data());
    if (!std::isfinite(k.sum_squares(row.data(), w_.cols))) continue;
    k.mul_add(row.data(), row.data(), column_.data(), w_.cols);
    ++count;
  }
  for (float& v : column_) v = std::sqrt(v / static_cast<float>(std::max<int64_t>(count, 1)));
  // Columns that were zero wherever they were looked at are taken to be like the others.
  std::copy(column_.begin(), column_.end(), row.begin());
  const auto middle = row.begin() + w_.cols / 2;
  std::nth_element(row.begin(), middle, row.end());
  const auto usable = [](float rms) { return std::isfinite(rms) && std::isfinite(1 / rms); };
  const float other = usable(*middle) ? *middle : 1;
  for (size_t c = 0; c < cols; ++c) {
    if (!usable(column_[c])) column_[c] = other;
    inverse_column_[c] = 1 / column_[c];
  }
}

// values: scratch, [2 * padded_]
void CoarseRows::Copy(int64_t row, float* values, const Ops& ops) {
  const KernelTable& k = ops.kernels();
  ops.Row(w_, row, values);
  k.mul(inverse_column_.data(), values, w_.cols);
  std::fill(values + w_.cols, values + padded_, 0.0f);
  const float squares = k.sum_squares(values, w_.cols);
  const float rms = std::sqrt(squares / static_cast<float>(w_.cols));
  const float inverse_step = 1 / (kStep * rms);
  const bool usable = std::isfinite(squares) && std::isfinite(inverse_step);
  float* centred = values + padded_;
  k.few_rows->coarse.encode(values, padded_, usable ? inverse_step : 0,
                            levels_.as<std::byte>() + row * levels_bytes(), centred);
  const float level_squares = k.sum_squares(centred, w_.cols);
  float& scale = scale_[static_cast<size_t>(row)];
  float& rest = rest_[static_cast<size_t>(row)];
  scale = usable ? squares / k.dot(values, centred, w_.cols) : 0;
  // |v - s l|^2 with s = v.v / v.l
  rest = usable ? std::sqrt(std::max(0.0f, scale * scale * level_squares - squares))
                : std::sqrt(squares);
  if (!std::isfinite(scale) || !std::isfinite(rest)) {
    scale = 0;
    rest = std::numeric_limits<float>::infinity();
  }
}

void CoarseRows::Make(const Ops& ops) {
  auto levels = Buffer::Allocate(static_cast<size_t>(w_.rows * levels_bytes()), "coarse rows");
  if (!levels.ok()) throw std::bad_alloc();
  levels_ = std::move(levels).value();
  levels_.WishHugePages();
  scale_.resize(static_cast<size_t>(w_.rows));
  rest_.resize(static_cast<size_t>(w_.rows));
  block_rest_.resize(static_cast<size_t>(blocks()));
  MeasureColumns(ops);
  const int64_t slot_floats = 2 * padded_;
  auto* scratch = reinterpret_cast<float*>(
      ops.Scratch(ops.pool().threads() * slot_floats * static_cast<int64_t>(sizeof(float))));
  for (int64_t begin = 0; begin < w_.rows; begin += kPiece) {
    const int64_t end = std::min(begin + kPiece, w_.rows);
    ops.ForSlots(CeilDiv(end - begin, kBlock), [&](int slot, int64_t i) {
      const int64_t first = begin + i * kBlock, last = std::min(first + kBlock, end);
      for (int64_t r = first; r < last; ++r) Copy(r, scratch + slot * slot_floats, ops);
      block_rest_[static_cast<size_t>(first / kBlock)] =
          *std::max_element(rest_.begin() + first, rest_.begin() + last);
    });
    if (mapped_) {
      ReleaseMappedPages({w_.row(begin), static_cast<size_t>((end - begin) * w_.row_bytes)});
    }
  }
  ready_ = true;
}

void CoarseRows::LetGo() const {
  if (mapped_ && ready_) ReleaseMappedPages({w_.data, w_.bytes()});
}

bool CoarseRows::Multiply(const ConstView& x, const View& y, int32_t* best, float* spread,
                          const Ops& ops) const {
  const int64_t values = x.rows * padded_;
  std::byte* scratch = ops.Scratch(values + padded_ * static_cast<int64_t>(sizeof(float)));
  auto* scaled = reinterpret_cast<float*>(scratch);
  auto* bytes = reinterpret_cast<int8_t*>(scratch + padded_ * sizeof(float));
  RoundedRow rounded[kCoarseRows];
  for (int64_t t = 0; t < x.rows; ++t) {
    std::copy(x.row(t), x.row(t) + x.cols, scaled);
    ops.kernels().mul(column_.data(), scaled, x.cols);
    const float squares = ops.kernels().sum_squares(scaled, x.cols);
    if (!std::isfinite(squares)) return false;
    float most = 0;
    for (int64_t c = 0; c < x.cols; ++c) most = std::max(most, std::fabs(scaled[c]));
    const float inverse = most > 0 ? kMaximum / most : 0;
    if (!std::isfinite(inverse)) return false;
    int64_t sum = 0;
    int8_t* row = bytes + t * padded_;
    for (int64_t c = 0; c < x.cols; ++c) {
      row[c] = static_cast<int8_t>(std::lrintf(scaled[c] * inverse));
      sum += row[c];
    }
    std::fill(row + x.cols, row + padded_, int8_t{0});
    rounded[t] = {most / kMaximum, kCoarseCentre * static_cast<float>(sum)};
    spread[t] = std::sqrt(squares / static_cast<float>(x.cols));
  }
  ops.pool().ParallelForGuided(blocks(), 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kBlock, end = std::min(last * kBlock, w_.rows);
    ops.kernels().few_rows->coarse.multiply(levels_.as<std::byte>(), padded_, begin, end, bytes,
                                            x.rows, y);
    for (int64_t t = 0; t < x.rows; ++t) {
      float* row = y.row(t);
      const float centre = rounded[t].centre, scale = rounded[t].scale;
      for (int64_t r = begin; r < end; ++r) {
        row[r] = (row[r] - centre) * (scale * scale_[static_cast<size_t>(r)]);
      }
      for (int64_t b = first; b < last; ++b) {
        const int64_t start = b * kBlock;
        const auto size = static_cast<size_t>(std::min(end - start, kBlock));
        best[t * blocks() + b] =
            static_cast<int32_t>(start + std::max<int64_t>(0, ArgMax({row + start, size})));
      }
    }
  });
  return true;
}

}  // namespace gemma3n
