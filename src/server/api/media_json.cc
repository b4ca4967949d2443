#include "server/api/media_json.h"

#include <utility>

namespace gemma3n::server {

Part OpenMedium(const Fields& fields, std::string_view key, const MediaAccess& media,
                Part::Kind kind, std::string_view location) {
  if (!fields.ok()) return {};
  Result<MediaSource> source = media.Open(location);
  if (!source.ok()) {
    fields.Fail(key, source.status().WithContext(fields.PathOf(key)));
    return {};
  }
  return {kind, {}, std::move(source).value()};
}

Part Base64Medium(const Fields& fields, std::string_view key, const MediaAccess& media,
                  Part::Kind kind, std::string_view base64) {
  return OpenMedium(fields, key, media, kind, "data:;base64," + std::string(base64));
}

}  // namespace gemma3n::server
