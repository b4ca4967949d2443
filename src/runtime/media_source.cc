#include "runtime/media_source.h"

#include <sys/stat.h>

#include <utility>

#include "media/source.h"

namespace gemma3n::internal {
namespace {

constexpr size_t kMaxUrlBytes = size_t{1} << 30;

}  // namespace

std::string SourceName(const MediaSource& source) {
  if (source.location.empty()) return source.samples ? "samples" : "bytes";
  return gemma3n::SourceName(source.location);
}

Result<MediaBytes> MediaBytes::Read(const MediaSource& source, size_t max_bytes) {
  MediaBytes result;
  result.name_ = SourceName(source);
  if (source.bytes != nullptr) {
    if (source.bytes->size() > max_bytes) {
      return Error(StatusCode::kResourceExhausted, "{}: {} bytes, more than the limit of {}",
                   result.name_, source.bytes->size(), max_bytes);
    }
    result.bytes_ = source.bytes;
    return result;
  }
  if (source.location.empty()) {
    return Error(StatusCode::kInvalidArgument,
                 "a medium without content: expected a file, a data: URL or bytes");
  }
  G3N_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, ReadSource(source.location, max_bytes));
  result.bytes_ = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return result;
}

Result<MediaFile> MediaFile::Open(const MediaSource& source) {
  MediaFile file;
  if (source.bytes == nullptr && !source.location.empty() && !IsDataUrl(source.location)) {
    file.input_ = MediaInput::File(source.location);
    return file;
  }
  G3N_ASSIGN_OR_RETURN(file.bytes_, MediaBytes::Read(source, kMaxUrlBytes));
  file.input_ = MediaInput::Memory(file.bytes_->span(), file.bytes_->name());
  return file;
}

ContentHasher SourceHash(std::string_view kind, const MediaSource& source) {
  ContentHasher hasher(kind);
  if (source.samples != nullptr) {
    hasher.Add(std::as_bytes(std::span(*source.samples)));
  } else if (source.bytes != nullptr) {
    hasher.Add(std::span(*source.bytes));
  } else {
    hasher.Add(std::string_view(source.location));
    struct stat info = {};
    if (!IsDataUrl(source.location) && ::stat(source.location.c_str(), &info) == 0) {
      hasher.Add(int64_t{info.st_size}).Add(int64_t{info.st_mtim.tv_sec});
      hasher.Add(int64_t{info.st_mtim.tv_nsec}).Add(static_cast<int64_t>(info.st_ino));
    }
  }
  return hasher;
}

}  // namespace gemma3n::internal
