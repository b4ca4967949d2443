// Ops with few rows of x: bound by reading weights, so what matters is that the threads read all
// the time, each in long runs, and meet seldom.
#include <algorithm>
#include <new>

#include "base/rounding.h"
#include "kernels/few_rows.h"
#include "kernels/ops.h"

namespace gemma3n {
namespace {

constexpr int64_t kRowBlock = 32;            // a range is a multiple of this many rows of W
constexpr int64_t kRangesPerThread = 16;     // so that no thread waits long for the last range
constexpr int64_t kMinRangeBytes = 1 << 16;  // of W times rows of x: worth waking another thread
constexpr int64_t kProducts = 4;             // in one loop

// Null where W's product is float32.
const FewRowsKernel* Few(const KernelTable& kernels, Precision precision, const Matrix& w) {
  if (precision != Precision::kAuto || kernels.few_rows == nullptr) return nullptr;
  const FewRowsKernel& few = kernels.few_rows->of[static_cast<int>(w.dtype)];
  return few.multiply != nullptr ? &few : nullptr;
}

// A product cut into blocks of rows of W.
struct Part {
  const Ops::Product* product = nullptr;
  const FewRowsKernel* few = nullptr;
  PlaneRows planes;
  int64_t first = 0, last = 0;  // its blocks of rows among all
};

int64_t PlaneBytes(const Part& part, const ConstView& x) {
  return part.few == nullptr ? 0 : RoundUp(part.few->PackedBytes(x.cols), 64) * x.rows;
}

}  // namespace

std::byte* Ops::Scratch(int64_t bytes) const {
  if (static_cast<int64_t>(scratch_.size()) < bytes) {
    scratch_ = Buffer();
    auto grown = Buffer::Allocate(static_cast<size_t>(bytes), "packed rows");
    if (!grown.ok()) throw std::bad_alloc();
    scratch_ = std::move(grown).value();
    scratch_.WishHugePages();
  }
  return scratch_.as<std::byte>();
}

void Ops::LinearFew(std::span<const Product> products, const ConstView& x) const {
  if (static_cast<int64_t>(products.size()) > kProducts) {
    LinearFew(products.first(kProducts), x);
    return LinearFew(products.subspan(kProducts), x);
  }
  Part parts[kProducts];
  const auto count = static_cast<int64_t>(products.size());
  int64_t total = 0, scratch = 0;
  for (int64_t i = 0; i < count; ++i) {
    parts[i].product = &products[static_cast<size_t>(i)];
    parts[i].few = Few(kernels_, precision_, parts[i].product->w);
    total += parts[i].product->w.rows * RowBytes(parts[i].product->w.dtype, x.cols) * x.rows;
    scratch += PlaneBytes(parts[i], x);
  }

  // Packs x once for each dtype.
  std::byte* free = Scratch(scratch);
  for (int64_t i = 0; i < count; ++i) {
    if (parts[i].few == nullptr) continue;
    const Part* same =
        std::find_if(parts, parts + i, [&](const Part& p) { return p.few == parts[i].few; });
    if (same != parts + i) {
      parts[i].planes = same->planes;
      continue;
    }
    const int64_t bytes = PlaneBytes(parts[i], x), stride = bytes / x.rows;
    parts[i].planes = {free, x.rows, stride};
    ForRows(x.rows, x.cols,
            [&](int64_t t) { parts[i].few->pack(x.row(t), x.cols, free + t * stride); });
    free += bytes;
  }

  int64_t blocks = 0;
  for (int64_t i = 0; i < count; ++i) {
    parts[i].first = blocks;
    blocks = parts[i].last = blocks + CeilDiv(parts[i].product->w.rows, kRowBlock);
  }
  const int64_t grain = CeilDiv(kMinRangeBytes, std::max<int64_t>(1, CeilDiv(total, blocks)));
  pool_.ParallelForGuided(blocks, grain, [&](int64_t begin, int64_t end) {
    for (const Part* part = parts; begin < end; ++part) {
      if (begin >= part->last) continue;
      const Matrix& w = part->product->w;
      const int64_t stop = std::min(end, part->last);
      const int64_t row_begin = (begin - part->first) * kRowBlock,
                    row_end = std::min((stop - part->first) * kRowBlock, w.rows);
      if (part->few != nullptr) {
        part->few->multiply(w, {row_begin, row_end}, part->planes, part->product->y);
      } else {
        kernels_.linear[static_cast<int>(w.dtype)](w, row_begin, row_end, x, part->product->y);
      }
      begin = stop;
    }
  });
}

void Ops::LinearRows(const Matrix& w, std::span<const int32_t> rows, const ConstView& x,
                     const View& y) const {
  const auto count = static_cast<int64_t>(rows.size());
  const FewRowsKernel* few = Few(kernels_, precision_, w);
  PlaneRows planes;
  if (few != nullptr) {
    const int64_t stride = RoundUp(few->PackedBytes(x.cols), 64);
    std::byte* packed = Scratch(stride * x.rows);
    for (int64_t t = 0; t < x.rows; ++t) few->pack(x.row(t), x.cols, packed + t * stride);
    planes = {packed, x.rows, stride};
  }
  const int64_t row_bytes = std::max<int64_t>(1, RowBytes(w.dtype, x.cols));
  const int64_t range = std::max(CeilDiv(kMinRangeBytes, row_bytes),
                                 CeilDiv(count, pool_.threads() * kRangesPerThread));
  pool_.ParallelFor(count, range, [&](int64_t begin, int64_t end) {
    if (few != nullptr) return few->multiply(w, {begin, end, rows.data()}, planes, y);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = rows[static_cast<size_t>(i)];
      kernels_.linear[static_cast<int>(w.dtype)](w, row, row + 1, x, y);
    }
  });
}

}  // namespace gemma3n
