#include "base/huge_pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "base/rounding.h"
#include "base/thread_pool.h"

namespace gemma3n {
namespace {

// The number after `name` in a file of lines.
std::optional<int64_t> Field(const char* path, std::string_view name) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
  if (file == nullptr) return std::nullopt;
  char line[256];
  while (std::fgets(line, sizeof(line), file.get()) != nullptr) {
    long long value = 0;
    if (std::string_view(line).starts_with(name) &&
        std::sscanf(line + name.size(), "%lld", &value) == 1) {
      return value;
    }
  }
  return std::nullopt;
}

constexpr size_t kRun = 8;  // pages copied before their originals go: both are resident meanwhile

uintptr_t Address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

uintptr_t UpTo(uintptr_t value, size_t multiple) {
  return static_cast<uintptr_t>(
      RoundUp(static_cast<int64_t>(value), static_cast<int64_t>(multiple)));
}

}  // namespace

bool WishHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef MADV_HUGEPAGE
  return ::madvise(data, bytes, MADV_HUGEPAGE) == 0;
#else
  return false;
#endif
}

void RefuseHugePages([[maybe_unused]] std::span<const std::byte> part) {
#ifdef MADV_NOHUGEPAGE
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = UpTo(Address(part.data()), page);
  const uintptr_t end = (Address(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_NOHUGEPAGE);
#endif
}

bool IsHugePage([[maybe_unused]] uintptr_t number) {
#ifdef __linux__
  // Linux 6.7's ioctl PAGEMAP_SCAN, which older headers lack: <linux/fs.h>.
  struct Region {
    uint64_t start, end, categories;
  } region{};
  struct Scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
  } scan{};
  constexpr unsigned long kScan = _IOWR('f', 16, Scan);
  constexpr uint64_t kIsHuge = 1 << 6;
  scan.size = sizeof(scan);
  scan.start = number * kHugePage;
  scan.end = scan.start + kHugePage;
  scan.vec = Address(&region);
  scan.vec_len = 1;
  scan.category_mask = scan.return_mask = kIsHuge;
  const int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const int found = ::ioctl(fd, kScan, &scan);
  ::close(fd);
  return found == 1 && region.start == scan.start && region.end == scan.end;
#else
  return false;
#endif
}

void* ReserveAtHugePage(size_t bytes, int protection) {
  const size_t room = bytes + kHugePage;
  void* reserved =
      ::mmap(nullptr, room, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  const uintptr_t begin = Address(reserved), start = UpTo(begin, kHugePage);
  const uintptr_t end = UpTo(start + bytes, static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  if (start > begin) ::munmap(reserved, start - begin);
  if (end < begin + room) ::munmap(reinterpret_cast<void*>(end), begin + room - end);
  return reinterpret_cast<void*>(start);
}

size_t MoveToHugePages(std::span<const std::byte> part, ThreadPool& pool) {
#ifdef MREMAP_FIXED
  const uintptr_t begin = UpTo(Address(part.data()), kHugePage);
  const uintptr_t end = (Address(part.data()) + part.size()) / kHugePage * kHugePage;
  if (begin >= end) return 0;
  const size_t bytes = end - begin;
  // Aligned, so that whole page tables move.
  auto* to = static_cast<std::byte*>(ReserveAtHugePage(bytes, PROT_READ | PROT_WRITE));
  if (to == nullptr) return 0;
  const auto* from = reinterpret_cast<const std::byte*>(begin);
  bool moved = WishHugePages(to, bytes);
  if (moved) {
    pool.ParallelFor(static_cast<int64_t>(bytes / kHugePage), 1, [&](int64_t a, int64_t b) {
      std::memcpy(to + a * kHugePage, from + a * kHugePage, static_cast<size_t>(b - a) * kHugePage);
    });
    moved = ::mprotect(to, bytes, PROT_READ) == 0 &&
            ::mremap(to, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                     reinterpret_cast<void*>(begin)) != MAP_FAILED;
  }
  if (!moved) ::munmap(to, bytes);
  return moved ? bytes : 0;
#else
  return 0;
#endif
}

int64_t AvailableMemory() {
  const int64_t machine = 1024 * Field("/proc/meminfo", "MemAvailable:").value_or(0);
  const auto limit = Field("/sys/fs/cgroup/memory.max", "");
  const auto used = Field("/sys/fs/cgroup/memory.current", "");
  if (!limit || !used) return machine;  // no group, or one without a limit ("max")
  const int64_t files = Field("/sys/fs/cgroup/memory.stat", "file ").value_or(0);
  return std::min(machine, *limit - *used + files);
}

void HugePageMover::Want(std::vector<std::span<const std::byte>> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (size_t i = 0; i < parts.size();) {
    const uintptr_t begin = Address(parts[i].data());
    uintptr_t end = begin;
    // The padding between a file's tensors. Nothing that is let go later fits in: that goes by
    // pages.
    constexpr uintptr_t kSeam = 256;
    for (; i < parts.size(); ++i) {
      const uintptr_t next = Address(parts[i].data());
      if (next > end + kSeam) break;
      end = std::max(end, next + parts[i].size());
    }
    for (uintptr_t page = UpTo(begin, kHugePage) / kHugePage; page < end / kHugePage; ++page) {
      if (known_.insert(page).second) queue_.push_back(page);
    }
  }
}

void HugePageMover::Work(double seconds, ThreadPool& pool) {
  using Clock = std::chrono::steady_clock;
  if (idle()) return;
  credit_ += seconds;
  if (credit_ <= 0) return;
  auto start = Clock::now();
  const auto left = static_cast<int64_t>((queue_.size() - next_) * kHugePage);
  bool possible = AvailableMemory() / 2 > left;
  while (possible && credit_ > 0 && !idle()) {
    if (IsHugePage(queue_[next_])) {
      ++next_;
      continue;
    }
    const double wanted = std::clamp(credit_ / page_seconds_, 1.0, double{kRun});
    size_t run = 1;
    while (run < static_cast<size_t>(wanted) && next_ + run < queue_.size() &&
           queue_[next_ + run] == queue_[next_] + run && !IsHugePage(queue_[next_ + run])) {
      ++run;
    }
    const auto* data = reinterpret_cast<const std::byte*>(queue_[next_] * kHugePage);
    possible = MoveToHugePages({data, run * kHugePage}, pool) > 0;
    if (possible) moved_ += run * kHugePage;
    next_ += run;
    const auto now = Clock::now();
    const double taken = std::chrono::duration<double>(now - start).count();
    page_seconds_ = taken / static_cast<double>(run);
    credit_ -= taken;
    start = now;
  }
  if (!possible) next_ = queue_.size();
}

}  // namespace gemma3n
