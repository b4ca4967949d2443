#include "server/api/media_access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "media/source.h"
#include "server/api/parsed_url.h"
#include "server/api/remote_fetch.h"

namespace gemma3n::server {
namespace {

namespace fs = std::filesystem;

// A file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool IsBelow(const fs::path& folder, const fs::path& path) {
  const auto [folder_end, rest] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return folder_end == folder.end() && rest != path.end();
}

// Without ".", ".." and a slash at the end.
fs::path Normal(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

// A scheme's case does not matter.
bool HasScheme(std::string_view location, std::string_view scheme) {
  return location.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), location.begin(), [](char expected, char c) {
           return expected == (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
         });
}

Status TooLarge(const std::string& name, int64_t max_bytes) {
  return Error(StatusCode::kOutOfRange, "{}: more than the limit of {} bytes for a medium", name,
               max_bytes);
}

Status Refused(const std::string& name) {
  return Error(StatusCode::kInvalidArgument,
               "{}: not below a folder that the server's operator allows media from "
               "(--media-folder)",
               name);
}

// Opens the file that `path` names now, and reads it through what was opened: nothing that changes
// in between can lead elsewhere. `folder` has no symbolic links in it.
Result<std::vector<std::byte>> ReadBelow(const fs::path& folder, const fs::path& path,
                                         const std::string& name, int64_t max_bytes) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return Error(StatusCode::kNotFound, "{}: no such file", name);
  if (!IsBelow(folder, real)) return Refused(name);

  // O_NONBLOCK: a pipe without a writer must not hold up the server.
  const Descriptor file(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    return Error(StatusCode::kIo, "{}: cannot be opened: {}", name, std::strerror(errno));
  }
  const fs::path opened = fs::read_symlink("/proc/self/fd/" + std::to_string(file.get()), error);
  if (error || !IsBelow(folder, opened)) return Refused(name);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return Error(StatusCode::kInvalidArgument, "{}: not a regular file", name);
  }
  if (info.st_size > max_bytes) return TooLarge(name, max_bytes);

  std::vector<std::byte> bytes(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error(StatusCode::kIo, "{}: cannot be read: {}", name, std::strerror(errno));
    }
    if (count == 0) break;  // it has shrunk
    done += static_cast<size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::vector<std::byte>> ReadFromFolders(const std::vector<std::string>& folders,
                                               const std::string& path, const std::string& name,
                                               int64_t max_bytes) {
  Status last = Refused(name);
  for (const std::string& given : folders) {
    std::error_code error;
    const fs::path folder = fs::canonical(given, error);
    if (error) continue;
    const fs::path spelled = Normal(fs::absolute(given, error));
    const fs::path named = Normal(spelled / path);  // `path` itself where it is absolute
    // By name first: files elsewhere are not even looked at, so that nobody learns what there is.
    if (!IsBelow(spelled, named) && !IsBelow(folder, named)) continue;
    auto bytes = ReadBelow(folder, named, name, max_bytes);
    if (bytes.ok()) return bytes;
    last = bytes.status();
    if (last.code() != StatusCode::kNotFound) return last;
  }
  return last;
}

// The path that a file: URL names on this machine.
Result<std::string> FileUrlPath(const std::string& location) {
  G3N_ASSIGN_OR_RETURN(const ParsedUrl url, ParsedUrl::Parse(location));
  std::string path = url.Part(CURLUPART_PATH, /*decoded=*/true);
  if (url.Part(CURLUPART_SCHEME) != "file" || !path.starts_with('/')) {
    return Error(StatusCode::kInvalidArgument, "{}: expected file:///PATH", location);
  }
  return path;
}

MediaSource Source(std::string name, std::vector<std::byte> bytes) {
  MediaSource source;
  source.location = OneLine(std::move(name));
  source.bytes = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return source;
}

// What a text spelled.
Result<MediaSource> Spelled(Result<std::vector<std::byte>> bytes, int64_t max_bytes) {
  const std::string name = "data: URL";
  if (bytes.status().code() == StatusCode::kResourceExhausted) return TooLarge(name, max_bytes);
  if (!bytes.ok()) return bytes.status();
  return Source(name, *std::move(bytes));
}

}  // namespace

Result<MediaSource> MediaAccess::Open(std::string_view location) const {
  if (IsDataUrl(location)) {
    return Spelled(ReadDataUrl(location, static_cast<size_t>(options_.max_bytes)),
                   options_.max_bytes);
  }
  if (location.empty() || location.find('\0') != location.npos) {
    return Error(StatusCode::kInvalidArgument, "'{}' is no place of a medium", location);
  }
  const std::string name(location);
  if (HasScheme(location, "http://") || HasScheme(location, "https://")) return Fetch(name);
  std::string path = name;
  if (HasScheme(location, "file:")) {
    G3N_ASSIGN_OR_RETURN(path, FileUrlPath(name));
  } else if (location.find("://") != location.npos) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: expected a data:, http:, https: or file: URL, or a path", location);
  }
  G3N_ASSIGN_OR_RETURN(auto bytes,
                       ReadFromFolders(options_.folders, path, name, options_.max_bytes));
  return Source(name, std::move(bytes));
}

Result<MediaSource> MediaAccess::OpenBase64(std::string_view text) const {
  return Spelled(DecodeBase64(text, static_cast<size_t>(options_.max_bytes)), options_.max_bytes);
}

Result<MediaSource> MediaAccess::Fetch(const std::string& url) const {
  if (!options_.remote) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: this server does not fetch media (--allow-remote-media); send it as a "
                 "data: URL",
                 url);
  }
  RemoteFetchOptions fetch;
  fetch.hosts = options_.remote_hosts;
  fetch.max_bytes = options_.max_bytes;
  fetch.seconds = options_.remote_seconds;
  const bool free = ++fetches_ <= options_.remote_at_once;
  auto bytes = free ? FetchRemote(url, fetch)
                    : Result<std::vector<std::byte>>(
                          Error(StatusCode::kResourceExhausted,
                                "as many media as may be are being fetched; try again later"));
  --fetches_;
  if (!bytes.ok()) return bytes.status();
  return Source(url, *std::move(bytes));
}

}  // namespace gemma3n::server
