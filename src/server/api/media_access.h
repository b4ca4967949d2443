// Which media a request may name, and how they are fetched: data: URLs always, files below allowed
// folders, http(s) only where it is switched on.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n::server {

struct MediaAccessOptions {
  std::vector<std::string> folders;  // files below these may be read; empty: none
  bool remote = false;               // http:// and https:// may be fetched ...
  std::vector<std::string>
      remote_hosts;  // ... from these hosts ("*.example.org"); empty: any public one
  int64_t max_bytes = int64_t{64} << 20;  // of one medium
  double remote_seconds = 20;             // for one fetch
  int remote_at_once = 3;  // fetches; more are refused, so that slow hosts do not take all threads
};

class MediaAccess {
 public:
  explicit MediaAccess(MediaAccessOptions options) : options_(std::move(options)) {}

  // location: a data: URL, a path (a relative one is taken from the folders) or file: URL, or an
  // http(s) URL. Blocks while fetching. Symbolic links and ".." that lead out of the folders are
  // refused; so is every address that is not public (loopback, private, link-local, ...), after
  // name resolution and on each redirect. Errors: kInvalidArgument (not allowed, with what the
  // operator would have to switch on; malformed), kNotFound, kOutOfRange (too large), kIo (fetch
  // failed), kResourceExhausted (remote_at_once).
  Result<MediaSource> Open(std::string_view location) const;

  // A medium spelled in base64. Errors: kInvalidArgument, kOutOfRange.
  Result<MediaSource> OpenBase64(std::string_view text) const;

 private:
  Result<MediaSource> Fetch(const std::string& url) const;

  const MediaAccessOptions options_;
  mutable std::atomic<int> fetches_ = 0;
};

}  // namespace gemma3n::server
