#include "server/api/media_json.h"

#include <utility>

namespace gemma3n::server {
namespace {

Part Opened(const Fields& fields, std::string_view key, Part::Kind kind,
            Result<MediaSource> source) {
  if (source.ok()) return {kind, {}, std::move(source).value()};
  fields.Fail(key, source.status().WithContext(fields.PathOf(key)));
  return {};
}

}  // namespace

Part OpenMedium(const Fields& fields, std::string_view key, const MediaAccess& media,
                Part::Kind kind, std::string_view location) {
  return fields.ok() ? Opened(fields, key, kind, media.Open(location)) : Part();
}

Part Base64Medium(const Fields& fields, std::string_view key, const MediaAccess& media,
                  Part::Kind kind, std::string_view base64) {
  return fields.ok() ? Opened(fields, key, kind, media.OpenBase64(base64)) : Part();
}

}  // namespace gemma3n::server
