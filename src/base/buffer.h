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
  // Gives the physical pages back; what is read afterwards is zero.
  void ReleasePages();

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gemma3n
