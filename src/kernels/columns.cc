#include "kernels/columns.h"

#include <new>
#include <utility>

#include "base/file.h"
#include "kernels/turn_columns.h"

namespace gemma3n {
namespace {

constexpr int64_t kGrain = 128;  // rows of w: their levels of one column are a cache line or more
constexpr int64_t kPopulated = 1 << 20;  // bytes at a time

}  // namespace

bool LazyColumns::Suits(const Matrix& w) {
  const ColumnLayout layout = LayoutByColumns(w.dtype);
  return layout.block > 0 && w.rows > 0 && w.rows % kColumnTile == 0 && w.cols % layout.block == 0;
}

ColumnMatrix LazyColumns::Get(ThreadPool& pool) {
  std::call_once(once_, [&] {
    const ColumnLayout layout = LayoutByColumns(w_.dtype);
    auto data =
        Buffer::Allocate(static_cast<size_t>(w_.cols / layout.block * layout.block_bytes(w_.rows)),
                         "weights by column");
    if (!data.ok()) throw std::bad_alloc();
    data_ = std::move(data).value();
    data_.WishHugePages();
    const auto size = static_cast<int64_t>(data_.size());
    pool.ParallelFor(size, kPopulated, [&](int64_t begin, int64_t end) {
      data_.Populate(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    });
    pool.ParallelFor(w_.rows, kGrain, [&](int64_t begin, int64_t end) {
      TurnColumns(w_, begin, end, data_.as<std::byte>());
    });
    read_ = made_ = true;
  });
  LetGo();
  return {w_.dtype, w_.rows, w_.cols, data_.as<std::byte>()};
}

void LazyColumns::WasRead(int64_t rows) {
  read_ = true;
  if (rows >= kLongPass && made_) LetGo();
}

void LazyColumns::LetGo() {
  if (!mapped_ || !read_.exchange(false)) return;
  ReleaseMappedPages({w_.data, w_.bytes()});
}

}  // namespace gemma3n
