#include "kernels/many_rows_linear.h"

#include <algorithm>

#include "base/rounding.h"
#include "kernels/many_rows.h"

namespace gemma3n {
namespace {

constexpr int64_t kRangesPerThread = 4;  // so that a thread that is interrupted delays little
constexpr int64_t kMinGroups = 2;        // of a range: its first slab is expanded before the rest

// The kernels for all the products; null where there are none.
const ManyRowsKernels* Choose(std::span<const Ops::Product> products, int64_t rows,
                              const KernelTable& table) {
  const ManyRowsKernels* const many = table.many_rows;
  for (const ManyRowsKernels* kernels :
       {rows <= kSeveralRows ? table.several_rows : nullptr,
        many == nullptr ? nullptr : many->sooner, many, table.many_rows_float}) {
    const auto offers = [&](const Ops::Product& p) {
      return kernels->multiply[static_cast<int>(p.w.dtype)] != nullptr;
    };
    if (kernels != nullptr && rows >= kernels->least_rows &&
        std::all_of(products.begin(), products.end(), offers)) {
      return kernels;
    }
  }
  return nullptr;
}

}  // namespace

int64_t RangeRows(int64_t rows, int64_t threads, const ManyRowsKernels& kernels) {
  if (rows < threads * kMinGroups * kernels.group_rows) {
    return RoundUp(CeilDiv(rows, threads), kernels.unit_rows);
  }
  return RoundUp(
      std::max(CeilDiv(rows, threads * kRangesPerThread), kMinGroups * kernels.group_rows),
      kernels.group_rows);
}

void PackRows(const ManyRowsKernels& kernels, const ManyRowsInput& in, int64_t first, int64_t rows,
              std::byte* packed, const Ops& ops) {
  const ConstView block = in.x.Rows(first, rows);
  const bool gated = in.up.data != nullptr;
  const int64_t slabs = CeilDiv(block.cols, kManyRowsSlab),
                units = CeilDiv(rows, kernels.unit_rows);
  ops.pool().ParallelFor(units * slabs, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / slabs * kernels.unit_rows, slab = i % slabs;
      if (gated) {
        kernels.pack_gated(block, in.up.Rows(first, rows), row, slab, packed);
      } else {
        kernels.pack(block, row, slab, packed);
      }
    }
  });
}

void MultiplyRows(const ManyRowsKernels& kernels, std::span<const Ops::Product> products,
                  int64_t first, int64_t rows, const std::byte* packed, std::byte* scratch,
                  int64_t stride, const Ops& ops) {
  const int64_t threads = ops.pool().threads();
  int64_t ranges = 0;
  for (const auto& p : products) ranges += CeilDiv(p.w.rows, RangeRows(p.w.rows, threads, kernels));
  ops.ForSlots(ranges, [&](int slot, int64_t i) {
    for (const Ops::Product& p : products) {
      const int64_t range = RangeRows(p.w.rows, threads, kernels);
      const int64_t count = CeilDiv(p.w.rows, range);
      if (i >= count) {
        i -= count;
        continue;
      }
      kernels.multiply[static_cast<int>(p.w.dtype)](p.w, i * range,
                                                    std::min((i + 1) * range, p.w.rows), packed,
                                                    p.y.Rows(first, rows), scratch + slot * stride);
      return;
    }
  });
}

bool ManyRowsLinear(std::span<const Ops::Product> products, const ManyRowsInput& in,
                    const Ops& ops) {
  const ConstView& x = in.x;
  if (x.rows < kManyRows || x.cols <= 0) return false;
  const ManyRowsKernels* kernels = Choose(products, x.rows, ops.kernels());
  if (kernels == nullptr || (in.up.data != nullptr && kernels->pack_gated == nullptr)) return false;
  const int64_t threads = ops.pool().threads(), most = std::min(x.rows, kernels->most_rows);
  const int64_t packed_bytes = RoundUp(kernels->packed_bytes(most, x.cols), 64);
  const int64_t thread_bytes = RoundUp(kernels->scratch_bytes(most), 64);
  std::byte* const packed = ops.Scratch(packed_bytes + threads * thread_bytes);
  for (int64_t first = 0; first < x.rows; first += most) {
    const int64_t rows = std::min(most, x.rows - first);
    PackRows(*kernels, in, first, rows, packed, ops);
    MultiplyRows(*kernels, products, first, rows, packed, packed + packed_bytes, thread_bytes, ops);
  }
  return true;
}

}  // namespace gemma3n
