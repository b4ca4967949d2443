#include "kernels/ops.h"

#include <algorithm>

#include "base/rounding.h"
#include "kernels/few_rows.h"
#include "kernels/many_rows_linear.h"

namespace gemma3n {
namespace {

constexpr int64_t kRowBlock = 32;  // weight rows that the wide kernels decode together
constexpr int64_t kTokenBlock =
    96;  // tokens below which decoding weights twice costs more than it spreads
constexpr int64_t kMinMacs =
    1 << 16;  // waking another thread costs about as much as this many multiply-adds
constexpr int64_t kRangesPerThread = 8;  // so that a thread that is interrupted delays little

}  // namespace

void Ops::LinearEach(std::span<const Product> products, const ConstView& x) const {
  if (x.rows <= 0) return;
  if (x.rows <= kFewRows) return LinearFew(products, x);
  if (precision_ == Precision::kAuto && ManyRowsLinear(products, {x, {}}, *this)) return;
  for (const Product& product : products) ExactLinear(product.w, x, product.y);
}

void Ops::LinearGated(const Matrix& w, const View& gate, const ConstView& up, const View& y) const {
  const Product product = {w, y};
  if (gate.rows > kFewRows && precision_ == Precision::kAuto &&
      ManyRowsLinear(std::span(&product, 1), {gate, up}, *this)) {
    return;
  }
  constexpr int64_t kPiece = 4096;  // splits one row over the threads
  const int64_t pieces = CeilDiv(gate.cols, kPiece);
  ForRows(gate.rows * pieces, 2 * kPiece, [&](int64_t i) {
    const int64_t begin = i % pieces * kPiece, count = std::min(kPiece, gate.cols - begin);
    float* g = gate.row(i / pieces) + begin;
    kernels_.gelu_mul(g, up.row(i / pieces) + begin, g, count);
  });
  Linear(w, gate, y);
}

void Ops::ExactLinear(const Matrix& w, const ConstView& x, const View& y) const {
  const auto kernel = kernels_.linear[static_cast<int>(w.dtype)];
  const int64_t tokens = x.rows;
  if (tokens <= 0 || w.rows <= 0) return;
  const int64_t macs_per_row = std::max<int64_t>(1, w.cols * tokens);
  if (pool_.threads() == 1 || w.rows * macs_per_row <= kMinMacs) return kernel(w, 0, w.rows, x, y);

  // Ranges of weight rows; where these are few, ranges of tokens as well.
  const int64_t wanted = pool_.threads() * kRangesPerThread;
  int64_t rows = CeilDiv(w.rows, wanted);
  rows = std::max(rows, CeilDiv(kMinMacs, macs_per_row));
  if (w.rows >= kRowBlock * pool_.threads()) rows = CeilDiv(rows, kRowBlock) * kRowBlock;
  rows = std::min(rows, w.rows);
  const int64_t row_ranges = CeilDiv(w.rows, rows);
  const int64_t token_ranges =
      std::clamp<int64_t>(wanted / row_ranges, 1, CeilDiv(tokens, kTokenBlock));
  const int64_t per_range = CeilDiv(tokens, token_ranges);
  pool_.ParallelFor(row_ranges * token_ranges, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / token_ranges * rows;
      const int64_t token = i % token_ranges * per_range;
      const int64_t count = std::min(per_range, tokens - token);
      if (count <= 0) continue;
      kernel(w, row, std::min(row + rows, w.rows), x.Rows(token, count), y.Rows(token, count));
    }
  });
}

void Ops::RmsNorm(const float* w, float eps, const ConstView& x, const View& y) const {
  const int64_t grain = std::max<int64_t>(1, CeilDiv(kMinValues, std::max<int64_t>(1, x.cols)));
  pool_.ParallelFor(x.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) kernels_.rms_norm(x.row(t), w, y.row(t), x.cols, eps);
  });
}

}  // namespace gemma3n
