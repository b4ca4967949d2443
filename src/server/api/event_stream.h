// Answers that come in pieces.
#pragma once

#include <string>
#include <utility>

#include "server/http/exchange.h"

namespace gemma3n::server {

// Begins one of 200. Proxies are told neither to keep it nor to hold pieces back.
inline void BeginPieces(Exchange& exchange, std::string content_type) {
  exchange.Begin(200, std::move(content_type),
                 {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}});
}

}  // namespace gemma3n::server
