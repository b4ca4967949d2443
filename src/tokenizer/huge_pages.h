// Memory for large tables that are read at random: in huge pages where the system has them, which
// spares thousands of page faults when the table is filled and address look-ups when it is read.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace gemma3n {

template <typename T>
struct HugePageAllocator {
  using value_type = T;
  static constexpr size_t kPage = size_t{2} << 20;

  HugePageAllocator() = default;
  template <typename U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: as allocators convert

  T* allocate(size_t count) {
    if (count > SIZE_MAX / sizeof(T) - kPage) throw std::bad_alloc();
    size_t bytes = count * sizeof(T);
    const bool huge = bytes >= kPage;
    if (huge) bytes = (bytes + kPage - 1) / kPage * kPage;
    void* memory = huge ? std::aligned_alloc(kPage, bytes) : std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (huge) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: without it all works the same
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t) { std::free(memory); }

  friend bool operator==(const HugePageAllocator&, const HugePageAllocator&) { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace gemma3n
