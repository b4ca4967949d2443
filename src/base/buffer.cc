#include "base/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/huge_pages.h"

namespace gemma3n {

Result<Buffer> Buffer::Allocate(size_t bytes, const char* what) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return Error(StatusCode::kResourceExhausted, "cannot take {} bytes for {} ({})", bytes, what,
                 std::strerror(errno));
  }
  buffer.data_ = static_cast<std::byte*>(address);
  buffer.size_ = bytes;
  return buffer;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void Buffer::WishHugePages() {
  if (size_ >= 2 * kHugePage) gemma3n::WishHugePages(data_, size_);
}

void Buffer::Populate([[maybe_unused]] size_t begin, [[maybe_unused]] size_t bytes) {
#ifdef MADV_POPULATE_WRITE  // Linux 5.14
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t start = begin / page * page;
  ::madvise(data_ + start, std::min(begin + bytes, size_) - start, MADV_POPULATE_WRITE);
#endif
}

void Buffer::ReleasePages() {
  if (data_ != nullptr) ::madvise(data_, size_, MADV_DONTNEED);
}

Buffer::~Buffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace gemma3n
