// Raw sound as it comes down a pipe: 16 kHz, mono, 16-bit little-endian samples without a header.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gemma3n {

// Bytes to samples, however the bytes are cut into pieces.
class Pcm16Decoder {
 public:
  // Appends sample / 32768 for each sample that is complete.
  void Push(std::span<const std::byte> bytes, std::vector<float>* samples);
  // Half a sample is waiting for its other byte.
  bool mid_sample() const { return half_.has_value(); }

 private:
  std::optional<std::byte> half_;
};

// Appends what can be read from a descriptor right now, waiting until there is something; false at
// the end of the stream, where half a sample is dropped. `name` stands for it in messages.
// Errors: kIo; kCancelled when a signal interrupted the wait.
class Pcm16Stream {
 public:
  Pcm16Stream(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Result<bool> Read(std::vector<float>* samples);

 private:
  int fd_;  // not owned
  std::string name_;
  Pcm16Decoder decoder_;
};

}  // namespace gemma3n
