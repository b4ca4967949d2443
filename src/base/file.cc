#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/huge_pages.h"

namespace gemma3n {
namespace {

Status OpenError(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return Error(StatusCode::kNotFound, "{}: no such file", path);
  }
  return Error(StatusCode::kIo, "{}: cannot open it ({})", path, std::strerror(error));
}

Status WriteError(const std::string& path, int error) {
  const auto code =
      error == ENOSPC || error == EDQUOT ? StatusCode::kResourceExhausted : StatusCode::kIo;
  return Error(code, "{}: cannot write it ({}); nothing was left behind", path,
               std::strerror(error));
}

// Closes a descriptor on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<MappedFile> MappedFile::Open(const std::string& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return OpenError(path, errno);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return OpenError(path, errno);
  if (S_ISDIR(info.st_mode))
    return Error(StatusCode::kInvalidArgument, "{}: is a directory, expected a file", path);
  if (!S_ISREG(info.st_mode))
    return Error(StatusCode::kInvalidArgument, "{}: not a regular file", path);
  if (info.st_size == 0) return Error(StatusCode::kCorruptFile, "{}: the file is empty", path);
  MappedFile mapped;
  mapped.path_ = path;
  mapped.size_ = static_cast<size_t>(info.st_size);
  // At the beginning of a huge page, so that the file system's can be mapped as they are, and
  // others can take the place of parts of it.
  void* reserved = ReserveAtHugePage(mapped.size_, PROT_NONE);
  void* address = reserved == nullptr ? MAP_FAILED
                                      : ::mmap(reserved, mapped.size_, PROT_READ,
                                               MAP_SHARED | MAP_FIXED, file.fd, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    if (reserved != nullptr) ::munmap(reserved, mapped.size_);
    return Error(StatusCode::kIo, "{}: cannot map it ({})", path, std::strerror(error));
  }
  WishHugePages(address, mapped.size_);
  mapped.data_ = static_cast<const std::byte*>(address);
  return mapped;
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return OpenError(path, errno);
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = ::read(file.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(StatusCode::kIo, "{}: cannot read it ({})", path, std::strerror(errno));
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > max_bytes) {
      return Error(StatusCode::kResourceExhausted, "{}: larger than the limit of {} bytes", path,
                   max_bytes);
    }
    text.append(buffer.data(), static_cast<size_t>(n));
  }
}

void ReleaseMappedPages(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool FileExists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<AtomicFileWriter> AtomicFileWriter::Create(const std::string& path) {
  if (IsDirectory(path))
    return Error(StatusCode::kInvalidArgument, "{}: is a directory, expected a file name", path);
  AtomicFileWriter writer;
  writer.path_ = path;
  writer.temporary_ = fmt::format("{}.{}.tmp", path, ::getpid());
  writer.file_ = std::fopen(writer.temporary_.c_str(), "wb");
  if (writer.file_ == nullptr) return WriteError(path, errno);
  // Pieces of a huge page's size, so that the system may keep the file in those.
  writer.buffer_ = std::make_unique<char[]>(kHugePage);
  std::setvbuf(writer.file_, writer.buffer_.get(), _IOFBF, kHugePage);
  return writer;
}

AtomicFileWriter& AtomicFileWriter::operator=(AtomicFileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(file_, other.file_);
  std::swap(buffer_, other.buffer_);
  std::swap(position_, other.position_);
  return *this;
}

AtomicFileWriter::~AtomicFileWriter() { Discard(); }

void AtomicFileWriter::Discard() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  file_ = nullptr;
  ::unlink(temporary_.c_str());
}

Status AtomicFileWriter::Write(const void* data, size_t size) {
  if (file_ == nullptr)
    return Error(StatusCode::kInternal, "{}: written to after it was closed", path_);
  if (size == 0) return OkStatus();
  if (std::fwrite(data, 1, size, file_) != size) {
    const int error = errno;
    Discard();
    return WriteError(path_, error);
  }
  position_ += size;
  return OkStatus();
}

Status AtomicFileWriter::PadTo(size_t alignment) {
  static constexpr char kZeros[4096] = {};
  const size_t rest = alignment == 0 ? 0 : (alignment - position_ % alignment) % alignment;
  for (size_t done = 0; done < rest;) {
    const size_t n = std::min(rest - done, sizeof(kZeros));
    G3N_RETURN_IF_ERROR(Write(kZeros, n));
    done += n;
  }
  return OkStatus();
}

Status AtomicFileWriter::Commit() {
  if (file_ == nullptr)
    return Error(StatusCode::kInternal, "{}: committed after it was closed", path_);
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) {
    const int error = errno;
    Discard();
    return WriteError(path_, error);
  }
  const int closed = std::fclose(file_);
  file_ = nullptr;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    return WriteError(path_, error);
  }
  return OkStatus();
}

}  // namespace gemma3n
