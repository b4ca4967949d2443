// A MediaSource as the decoders take it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"
#include "media/media_input.h"
#include "runtime/content_hash.h"

namespace gemma3n::internal {

// A source's bytes, wherever they lie; keeps them alive.
class MediaBytes {
 public:
  // Errors: kNotFound, kIo, kInvalidArgument (a data: URL that is none), kResourceExhausted over
  // max_bytes.
  static Result<MediaBytes> Read(const MediaSource& source, size_t max_bytes);

  std::span<const std::byte> span() const { return *bytes_; }
  const std::string& name() const { return name_; }

 private:
  std::shared_ptr<const std::vector<std::byte>> bytes_;
  std::string name_;
};

// A sound or video file; a path stays a path, so that it is not read whole.
class MediaFile {
 public:
  static Result<MediaFile> Open(const MediaSource& source);
  const MediaInput& input() const { return input_; }

 private:
  MediaInput input_;
  std::optional<MediaBytes> bytes_;
};

// For messages: the path, or what stands for bytes; never a whole data: URL.
std::string SourceName(const MediaSource& source);

// Names a source's content without decoding it: a file by path, size and time of change, anything
// else by its bytes. More may be added.
ContentHasher SourceHash(std::string_view kind, const MediaSource& source);

}  // namespace gemma3n::internal
