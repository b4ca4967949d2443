// Owned memory for activations and caches: 64-byte aligned, zeroed, and taken from the system
// lazily.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace gemma3n {

// Anonymous mapping: address space now, physical pages when first written. Move-only.
class Buffer {
 public:
  Buffer() = default;
  // Errors: kResourceExhausted, naming `what` and the size.
  static Result<Buffer> Allocate(size_t bytes, const char* what);
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }
  size_t size() const { return size_; }
  // Asks for huge pages: of what is large and read and written as a whole, for each of them becomes
  // resident at a touch. Whether the system has any shows in speed alone.
  void WishHugePages();
  // Takes the physical pages of a part that will be written all over, many at a time: half of what
  // they cost one by one. Without effect where the system cannot.
  void Populate(size_t begin, size_t bytes);
  // Gives the physical pages back; what is read afterwards is zero.
  void ReleasePages();

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gemma3n
