// Where a sound or video file comes from: a path, or bytes that are in memory already.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace gemma3n {

struct MediaInput {
  // A file; anything but a regular file (a pipe, say) is read into memory first.
  static MediaInput File(std::string path) { return {std::move(path), std::nullopt}; }
  // `bytes` outlive whatever reads them; `name` stands for them in messages.
  static MediaInput Memory(std::span<const std::byte> bytes, std::string name) {
    return {std::move(name), bytes};
  }

  std::string name;
  std::optional<std::span<const std::byte>> bytes;
};

}  // namespace gemma3n
