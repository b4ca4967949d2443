#include "media/pcm_stream.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace gemma3n {

void Pcm16Decoder::Push(std::span<const std::byte> bytes, std::vector<float>* samples) {
  for (const std::byte byte : bytes) {
    if (!half_) {
      half_ = byte;
      continue;
    }
    const auto bits = static_cast<uint16_t>(std::to_integer<unsigned>(*half_) |
                                            std::to_integer<unsigned>(byte) << 8);
    samples->push_back(static_cast<float>(static_cast<int16_t>(bits)) / 32768.0f);
    half_.reset();
  }
}

Result<bool> Pcm16Stream::Read(std::vector<float>* samples) {
  const size_t before = samples->size();
  while (samples->size() == before) {
    std::array<std::byte, 1 << 15> buffer;
    const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR)
      return Error(StatusCode::kCancelled, "{}: interrupted while reading it", name_);
    if (n < 0)
      return Error(StatusCode::kIo, "{}: cannot read it ({})", name_, std::strerror(errno));
    if (n == 0) return false;
    decoder_.Push(std::span(buffer).first(static_cast<size_t>(n)), samples);
  }
  return true;
}

}  // namespace gemma3n
