#include "media/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "media/ffmpeg.h"

namespace gemma3n {

Result<std::unique_ptr<ByteStream>> ByteStream::Open(const MediaInput& input) {
  std::unique_ptr<ByteStream> stream(new ByteStream);
  if (input.bytes) {
    stream->bytes_ = *input.bytes;
  } else {
    stream->fd_ = ::open(input.name.c_str(), O_RDONLY | O_CLOEXEC);
    if (stream->fd_ < 0 && (errno == ENOENT || errno == ENOTDIR))
      return Error(StatusCode::kNotFound, "{}: no such file", input.name);
    struct stat info {};
    if (stream->fd_ < 0 || ::fstat(stream->fd_, &info) != 0)
      return Error(StatusCode::kIo, "{}: cannot open it ({})", input.name, std::strerror(errno));
    if (S_ISDIR(info.st_mode))
      return Error(StatusCode::kInvalidArgument, "{}: is a directory, expected a file", input.name);
    stream->size_ = info.st_size;
    if (!S_ISREG(info.st_mode)) {
      ::close(stream->fd_);
      stream->fd_ = -1;
      G3N_ASSIGN_OR_RETURN(stream->owned_, ReadFile(input.name));
      stream->bytes_ = std::as_bytes(std::span(stream->owned_));
    }
  }
  if (stream->fd_ < 0) stream->size_ = static_cast<int64_t>(stream->bytes_.size());
  if (stream->size_ == 0)
    return Error(StatusCode::kCorruptFile, "{}: expected a sound or video file, found no bytes",
                 input.name);
  return stream;
}

AVIOContext* ByteStream::Rewind() {
  FreeContext();
  position_ = 0;
  constexpr int kBuffer = 1 << 16;
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  if (buffer == nullptr) return nullptr;
  context_ = avio_alloc_context(buffer, kBuffer, 0, this, Read, nullptr, Seek);
  if (context_ == nullptr) av_free(buffer);
  return context_;
}

void ByteStream::FreeContext() {
  if (context_ == nullptr) return;
  av_freep(&context_->buffer);  // FFmpeg may have replaced the one it was given
  avio_context_free(&context_);
}

ByteStream::~ByteStream() {
  FreeContext();
  if (fd_ >= 0) ::close(fd_);
}

int ByteStream::Read(void* self, uint8_t* buffer, int size) {
  auto& stream = *static_cast<ByteStream*>(self);
  ssize_t n = 0;
  if (stream.fd_ < 0) {
    n = std::min<int64_t>(size, std::max<int64_t>(0, stream.size_ - stream.position_));
    if (n > 0) std::memcpy(buffer, stream.bytes_.data() + stream.position_, static_cast<size_t>(n));
  } else {
    do {
      n = ::pread(stream.fd_, buffer, static_cast<size_t>(size), stream.position_);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
      if (stream.read_error_ == 0) stream.read_error_ = errno;
      return AVERROR(EIO);
    }
  }
  stream.position_ += n;
  return n == 0 ? AVERROR_EOF : static_cast<int>(n);
}

int64_t ByteStream::Seek(void* self, int64_t offset, int whence) {
  auto& stream = *static_cast<ByteStream*>(self);
  if ((whence & AVSEEK_SIZE) != 0) return stream.size_;
  int64_t base = 0;
  switch (whence & ~AVSEEK_FORCE) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      base = stream.position_;
      break;
    case SEEK_END:
      base = stream.size_;
      break;
    default:
      return AVERROR(EINVAL);
  }
  int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return AVERROR(EINVAL);
  return stream.position_ = target;
}

}  // namespace gemma3n
