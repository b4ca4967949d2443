// Memory for large tables that are read at random: in huge pages where the system has them, which
// spares thousands of page faults when the table is filled and address look-ups when it is read.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include "base/huge_pages.h"

namespace gemma3n {

template <typename T>
struct HugePageAllocator {
  using value_type = T;

  HugePageAllocator() = default;
  template <typename U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: as allocators convert

  T* allocate(size_t count) {
    if (count > SIZE_MAX / sizeof(T) - kHugePage) throw std::bad_alloc();
    size_t bytes = count * sizeof(T);
    const bool huge = bytes >= kHugePage;
    if (huge) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    void* memory = huge ? std::aligned_alloc(kHugePage, bytes) : std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (huge) WishHugePages(memory, bytes);  // without them all works the same
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t) { std::free(memory); }

  friend bool operator==(const HugePageAllocator&, const HugePageAllocator&) { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace gemma3n
