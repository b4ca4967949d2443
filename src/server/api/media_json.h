// Media as JSON requests carry them.
#pragma once

#include <string>
#include <string_view>

#include "gemma3n/content.h"
#include "server/api/media_access.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// One medium by its location; reports what MediaAccess says against `key`.
Part OpenMedium(const Fields& fields, std::string_view key, const MediaAccess& media,
                Part::Kind kind, std::string_view location);

// The same for bare base64.
Part Base64Medium(const Fields& fields, std::string_view key, const MediaAccess& media,
                  Part::Kind kind, std::string_view base64);

}  // namespace gemma3n::server
