// A MediaInput as FFmpeg reads it: a position that moves over bytes of a known length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "media/media_input.h"

struct AVIOContext;

namespace gemma3n {

// Read with pread rather than mapped: a file that shrinks meanwhile gives a short read, not SIGBUS.
class ByteStream {
 public:
  // Errors: kNotFound, kIo; a directory is kInvalidArgument, an empty input kCorruptFile, a pipe
  // of more than 1 GiB kResourceExhausted.
  static Result<std::unique_ptr<ByteStream>> Open(const MediaInput& input);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  int64_t size() const { return size_; }
  // A fresh context that reads from the first byte on; the one before is gone. Owned by this
  // object; null when memory ran out.
  AVIOContext* Rewind();
  // The system's error of the first read that failed, or 0.
  int read_error() const { return read_error_; }

 private:
  ByteStream() = default;
  void FreeContext();
  static int Read(void* self, uint8_t* buffer, int size);
  static int64_t Seek(void* self, int64_t offset, int whence);

  int fd_ = -1;
  std::string owned_;
  std::span<const std::byte> bytes_;  // when fd_ < 0
  int64_t size_ = 0, position_ = 0;
  int read_error_ = 0;
  AVIOContext* context_ = nullptr;
};

}  // namespace gemma3n
